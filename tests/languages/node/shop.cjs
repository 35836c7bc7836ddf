// A shop that knows nothing of OpenTelemetry: it serves one order, to itself, and ends.

const http = require('http');

const server = http.createServer((request, response) => response.writeHead(204).end());
server.listen(0, '127.0.0.1', () => {
  http.get(`http://127.0.0.1:${server.address().port}/orders`, (response) => {
    response.resume();
    response.on('end', () => {
      server.close();
      server.closeAllConnections();
    });
  });
});
