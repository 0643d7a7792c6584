"""The reading room: pages served by the API's process. Templates hold no data; the pages get it from the API by `fetch`."""
