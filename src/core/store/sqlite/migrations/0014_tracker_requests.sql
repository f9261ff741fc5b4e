-- Requests to the tracker that processes have reserved within its minute, and until when it wants to be left alone: one budget for all.
CREATE TABLE tracker_requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  n INTEGER NOT NULL CHECK (n > 0)
) STRICT;

CREATE TABLE tracker_hold (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  since INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT;
