import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

/** Sends a file to a URL and prints the answer: java Score.java URL TYPE FILE. */
public class Score {
    public static void main(String[] args) throws Exception {
        HttpResponse<String> answer = HttpClient.newHttpClient().send(
                HttpRequest.newBuilder(URI.create(args[0])).header("Content-Type", args[1])
                        .POST(HttpRequest.BodyPublishers.ofFile(Path.of(args[2]))).build(),
                HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            System.err.println(answer.statusCode() + " " + answer.body());
            System.exit(1);
        }
        Files.writeString(Path.of(args[3]), answer.body());
    }
}
