-- A poller reports since when which projects could not be polled, so that the next one neither forgets nor repeats an alert.
UPDATE processes SET detail = json_set(detail, '$.outages', json('[]')) WHERE kind = 'poller';
