import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** kafka-clients, from 2.8 on: `java Client COMMAND ...`. Nothing here is newer than 2.8's interface. */
public final class Client {
    private static final int TRANSACTION_RECORDS = 10;

    private final Given given;

    private Client(Given given) {
        this.given = given;
    }

    public static void main(String[] arguments) {
        Given given = new Given(arguments);
        try {
            new Client(given).run();
            given.end(0);
        } catch (Exception error) {
            Given.tellError(error);
            error.printStackTrace();
            given.end(1);
        }
    }

    private void run() throws Exception {
        switch (given.command) {
            case "produce": produce(); break;
            case "produce-forever":
                if (given.text("transactional-id").isEmpty()) produce(); else produceTransactions();
                break;
            case "consume":
            case "consume-forever": consume(); break;
            case "transact": transact(); break;
            case "create": create(); break;
            case "delete": delete(); break;
            default: throw new IllegalArgumentException(given.command);
        }
    }

    private KafkaProducer<String, String> producer(Map<String, ?> own) throws Exception {
        return new KafkaProducer<>(given.settings(own), new StringSerializer(), new StringSerializer());
    }

    private ProducerRecord<String, String> record(int number, String value) {
        return new ProducerRecord<>(given.text("topic"), "k" + number % 100, value);
    }

    private static void acked(String value, RecordMetadata place) {
        Given.tell("acked", "value", value, "partition", place.partition(), "offset", place.offset());
    }

    /** A producer that has failed for good throws: it is replaced, as an application would. */
    private void produce() throws Exception {
        Map<String, Object> own = new HashMap<>();
        own.putAll(Map.of("enable.idempotence", given.is("idempotent"), "acks", "all", "linger.ms", 5));
        if (given.number("in-flight") > 0) {
            own.put("max.in.flight.requests.per.connection", given.number("in-flight"));
        }
        KafkaProducer<String, String> producer = producer(own);
        for (int number = 0; given.more(number); number++) {
            String value = given.text("prefix") + "-" + number;
            try {
                producer.send(record(number, value), (place, error) -> {
                    if (error == null) {
                        acked(value, place);
                    } else {
                        Given.tell("failed", "value", value, "text", error.toString());
                    }
                });
            } catch (KafkaException error) {
                Given.tell("failed", "value", value, "text", error.toString());
                producer.close(Duration.ZERO);
                producer = producer(own);
            }
            Thread.sleep(given.number("pace"));
        }
        producer.close();
    }

    /** Transactions of ten records without end; an aborted one is told as failed and not tried again. */
    private void produceTransactions() throws Exception {
        KafkaProducer<String, String> producer = null;
        for (int number = 0; !given.stopped(); number += TRANSACTION_RECORDS) {
            Map<String, RecordMetadata> places = new HashMap<>();
            List<String> values = new ArrayList<>();
            for (int each = 0; each < TRANSACTION_RECORDS; each++) {
                values.add(given.text("prefix") + "-" + (number + each));
            }
            try {
                if (producer == null) {
                    producer = producer(Map.of("transactional.id", given.text("transactional-id")));
                    producer.initTransactions();
                }
                producer.beginTransaction();
                for (int each = 0; each < TRANSACTION_RECORDS; each++) {
                    String value = values.get(each);
                    producer.send(record(number + each, value), (place, error) -> {
                        if (error == null) {
                            synchronized (places) {
                                places.put(value, place);
                            }
                        }
                    });
                    Thread.sleep(given.number("pace"));
                }
                producer.commitTransaction();
                places.forEach(Client::acked);
                Given.tell("committed");
            } catch (KafkaException error) {
                values.forEach(value -> Given.tell("failed", "value", value, "text", error.toString()));
                producer = aborted(producer);
            }
        }
        if (producer != null) {
            producer.close();
        }
    }

    /** The producer to go on with after an error; null where the library says that it is of no more use. */
    private KafkaProducer<String, String> aborted(KafkaProducer<String, String> producer) {
        if (producer == null) {
            return null;
        }
        try {
            producer.abortTransaction();
            Given.tell("aborted");
            return producer;
        } catch (KafkaException | IllegalStateException fatal) { // the latter after a commit that was not answered in time
            Given.tellError(fatal);
            producer.close(Duration.ZERO);
            return null;
        }
    }

    private void consume() throws Exception {
        boolean forever = given.number("count") == 0;
        boolean assign = given.is("assign");
        Map<String, Object> own = new HashMap<>(Map.of(
            "auto.offset.reset", "earliest",
            "isolation.level", given.text("isolation"),
            "enable.auto.commit", forever && !assign,
            "auto.commit.interval.ms", 1000));
        if (!given.text("group").isEmpty()) {
            own.put("group.id", given.text("group"));
        }
        if (given.text("protocol").equals("consumer")) {
            own.put("group.protocol", "consumer"); // older libraries do not know the setting
        }
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(given.settings(own), new StringDeserializer(), new StringDeserializer())) {
            join(consumer, assign);
            Map<TopicPartition, OffsetAndMetadata> places = new HashMap<>();
            int delivered = 0;
            while (given.more(delivered)) {
                for (ConsumerRecord<String, String> record : poll(consumer)) {
                    if (!given.more(delivered)) {
                        break;
                    }
                    delivered++;
                    Given.tell("delivered", "value", record.value(), "partition", record.partition(), "offset", record.offset());
                    places.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
            }
            if (!forever) {
                consumer.commitSync(places);
                Given.tell("committed");
            }
        }
    }

    private void join(KafkaConsumer<String, String> consumer, boolean assign) {
        if (assign) {
            consumer.assign(consumer.partitionsFor(given.text("topic")).stream()
                .map(each -> new TopicPartition(each.topic(), each.partition())).collect(Collectors.toList()));
            return;
        }
        consumer.subscribe(List.of(given.text("topic")), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            }

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                Given.tell("assigned", "partitions", partitions.size());
            }
        });
    }

    /** Poll as an application does that goes on after whatever the library throws, but for being refused. */
    private Iterable<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer) {
        try {
            return consumer.poll(Duration.ofMillis(200));
        } catch (AuthenticationException refused) {
            throw refused;
        } catch (KafkaException error) {
            Given.tellError(error);
            return List.of();
        }
    }

    private void transact() throws Exception {
        try (KafkaProducer<String, String> producer = producer(Map.of("transactional.id", given.text("transactional-id")))) {
            producer.initTransactions();
            for (String outcome : List.of("aborted", "committed")) {
                producer.beginTransaction();
                for (int number = 0; number < given.number("count"); number++) {
                    producer.send(record(number, given.text("prefix") + "-" + outcome + "-" + number));
                }
                producer.flush(); // or the aborted records would never leave
                if (outcome.equals("committed")) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
                Given.tell(outcome);
            }
        }
    }

    private void create() throws Exception {
        try (Admin admin = Admin.create(given.settings())) {
            admin.createTopics(List.of(new NewTopic(given.text("topic"), given.number("partitions"), (short) 3))).all().get();
            for (int tries = 0; tries < 300; tries++) {
                try {
                    Given.tell("created", "partitions", described(admin).partitions().size());
                    return;
                } catch (ExecutionException error) {
                    if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) {
                        throw error;
                    }
                    Thread.sleep(100); // the broker that was asked has not heard of it yet
                }
            }
        }
        throw new IllegalStateException("the topic cannot be described");
    }

    /** The method was renamed in 3.1 and the old name went in 4.0. */
    @SuppressWarnings("unchecked")
    private TopicDescription described(Admin admin) throws Exception {
        Object result = admin.describeTopics(List.of(given.text("topic")));
        String name = "topicNameValues";
        try {
            result.getClass().getMethod(name);
        } catch (NoSuchMethodException older) {
            name = "values";
        }
        Object values = result.getClass().getMethod(name).invoke(result);
        return ((Map<String, KafkaFuture<TopicDescription>>) values).get(given.text("topic")).get();
    }

    private void delete() throws Exception {
        try (Admin admin = Admin.create(given.settings())) {
            admin.deleteTopics(List.of(given.text("topic"))).all().get();
            Given.tell("deleted");
        }
    }
}
