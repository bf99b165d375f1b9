import java.time.Duration;
import java.util.List;
import java.util.Map;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** kafka-clients from 4.1 on, a member of a share group (KIP-932): `java ShareClient share ...`. */
public final class ShareClient {
    private ShareClient() {
    }

    public static void main(String[] arguments) {
        Given given = new Given(arguments);
        try {
            share(given);
            given.end(0);
        } catch (Exception error) {
            Given.tellError(error);
            error.printStackTrace();
            given.end(1);
        }
    }

    private static void share(Given given) throws Exception {
        Map<String, ?> own = Map.of("group.id", given.text("group"));
        try (KafkaShareConsumer<String, String> consumer =
                new KafkaShareConsumer<>(given.settings(own), new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(given.text("topic")));
            int delivered = 0;
            while (given.more(delivered)) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    delivered++;
                    Given.tell("delivered", "value", record.value(), "partition", record.partition(), "offset", record.offset());
                }
                consumer.commitSync(); // implicit acknowledgement: all that was delivered is accepted
            }
        }
    }
}
