-- What a worker says of itself has a typed answer to "does it claim jobs, and if not, why"; the former word is dropped, the
-- next report of the worker fills it in.
UPDATE processes SET detail = json_object(
    'concurrency', coalesce(json_extract(detail, '$.concurrency'), 0),
    'runs', json(coalesce(json_extract(detail, '$.runs'), '[]')),
    'claiming', json('{"kind":"starting"}'))
  WHERE kind = 'worker';
UPDATE processes SET detail = json_object(
    'behind', json(coalesce(json_extract(detail, '$.behind'), '[]')),
    'problems', json(coalesce(json_extract(detail, '$.problems'), '[]')))
  WHERE kind = 'poller';
