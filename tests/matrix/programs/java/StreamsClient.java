import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Kafka Streams: copies TOPIC to GROUP-copied and counts its records by key into GROUP-counted, until SIGTERM. The count has a
 * state store with a changelog topic, which Streams creates itself. `--protocol consumer` is the streams protocol of KIP-1071.
 */
public final class StreamsClient {
    private StreamsClient() {
    }

    public static void main(String[] arguments) {
        Given given = new Given(arguments);
        try {
            run(given);
            given.end(0);
        } catch (Exception error) {
            Given.tellError(error);
            error.printStackTrace();
            given.end(1);
        }
    }

    private static void run(Given given) throws Exception {
        Properties settings = given.settings(Map.of(
            "application.id", given.text("group"),
            "processing.guarantee", given.text("transactional-id").isEmpty() ? "at_least_once" : "exactly_once_v2",
            "group.protocol", given.text("protocol").equals("consumer") ? "streams" : "classic",
            "state.dir", given.text("state"),
            "commit.interval.ms", 1000,
            "consumer.auto.offset.reset", "earliest"));
        CountDownLatch failed = new CountDownLatch(1);
        try (KafkaStreams streams = new KafkaStreams(topology(given.text("topic"), given.text("group")).build(), settings)) {
            streams.setUncaughtExceptionHandler(error -> {
                Given.tellError(error);
                failed.countDown();
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            while (!given.stopped() && failed.getCount() > 0) {
                Thread.sleep(50);
            }
            CloseOptions leave = CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP);
            if (!streams.close(leave.withTimeout(Duration.ofSeconds(10)))) {
                throw new IllegalStateException("streams did not close");
            }
        }
        if (failed.getCount() == 0) {
            throw new IllegalStateException("a stream thread failed");
        }
    }

    /** Tells each record with its place, and passes it on. */
    private static final class Teller extends ContextualFixedKeyProcessor<String, String, String> {
        @Override
        public void process(FixedKeyRecord<String, String> record) {
            RecordMetadata place = context().recordMetadata().orElseThrow();
            Given.tell("delivered", "value", record.value(), "partition", place.partition(), "offset", place.offset());
            context().forward(record);
        }
    }

    private static StreamsBuilder topology(String topic, String application) {
        StreamsBuilder builder = new StreamsBuilder();
        var records = builder.stream(topic, Consumed.with(Serdes.String(), Serdes.String()))
            .processValues(Teller::new);
        records.to(application + "-copied", Produced.with(Serdes.String(), Serdes.String()));
        records.groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream().mapValues(count -> Long.toString(count))
            .to(application + "-counted", Produced.with(Serdes.String(), Serdes.String()));
        return builder;
    }
}
