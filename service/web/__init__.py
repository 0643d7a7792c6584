"""The reading room: pages for people, served by the API's process. Templates are shells; what they show comes from the API by `fetch`."""
