import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.logging.Logger;

/** A shop that knows nothing of OpenTelemetry: it serves one order, to itself, and ends. */
public final class Shop {
  private static final Logger LOGGER = Logger.getLogger("shop");

  private Shop() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/orders",
        exchange -> {
          LOGGER.info("an order came in");
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    server.start();
    URI orders = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/orders");
    HttpResponse<Void> answer =
        HttpClient.newHttpClient()
            .send(HttpRequest.newBuilder(orders).build(), HttpResponse.BodyHandlers.discarding());
    server.stop(0);
    System.exit(answer.statusCode() == 204 ? 0 : 1);
  }
}
