import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

/** What the Java programs share: their arguments, their events, and how they are told to end. */
final class Given {
    final String command;
    private final Map<String, String> flags = new HashMap<>();
    private volatile boolean stopped;
    private final CountDownLatch ended = new CountDownLatch(1);

    Given(String[] arguments) {
        command = arguments[0];
        for (int at = 1; at < arguments.length; at += 2) {
            flags.put(arguments[at].substring(2), arguments[at + 1]);
        }
        // The JVM ends when its hooks have: the hook waits until the client has left its group.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopped = true;
            try {
                ended.await();
            } catch (InterruptedException ignored) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    String text(String name) {
        return flags.getOrDefault(name, "");
    }

    int number(String name) {
        return Integer.parseInt(flags.getOrDefault(name, "0"));
    }

    boolean is(String name) {
        return Boolean.parseBoolean(flags.get(name));
    }

    boolean stopped() {
        return stopped;
    }

    /** Whether a loop that has done this many goes on: up to `count`, or without end where none is given. */
    boolean more(int done) {
        return !stopped && (number("count") == 0 || done < number("count"));
    }

    /** To be called last, whatever happened. */
    void end(int status) {
        ended.countDown();
        if (!stopped) {
            System.exit(status);
        }
    }

    /** What all clients are given. */
    Properties settings() throws IOException {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", text("bootstrap"));
        if (!text("ca").isEmpty()) {
            String module = text("mechanism").equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
            settings.put("security.protocol", "SASL_SSL");
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", text("ca"));
            settings.put("sasl.mechanism", text("mechanism"));
            settings.put("sasl.jaas.config", String.format(
                "org.apache.kafka.common.security.%s required username=\"%s\" password=\"%s\";",
                module, text("user"), Files.readString(Path.of(text("password-file")))));
        }
        return settings;
    }

    Properties settings(Map<String, ?> own) throws IOException {
        Properties settings = settings();
        settings.putAll(own);
        return settings;
    }

    /** One event with fields in pairs: name, value, name, value. */
    static synchronized void tell(String event, Object... fields) {
        StringBuilder line = new StringBuilder("{\"event\":\"").append(event).append('"');
        line.append(",\"at\":").append(System.currentTimeMillis() / 1000.0);
        for (int at = 0; at < fields.length; at += 2) {
            line.append(",\"").append(fields[at]).append("\":");
            if (fields[at + 1] instanceof Number) {
                line.append(fields[at + 1]);
            } else {
                line.append(quoted(String.valueOf(fields[at + 1])));
            }
        }
        System.out.println(line.append('}'));
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char each : text.toCharArray()) {
            if (each == '"' || each == '\\') {
                quoted.append('\\').append(each);
            } else if (each < ' ') {
                quoted.append(String.format("\\u%04x", (int) each));
            } else {
                quoted.append(each);
            }
        }
        return quoted.append('"').toString();
    }

    static void tellError(Throwable error) {
        tell("error", "text", error.toString());
    }
}
