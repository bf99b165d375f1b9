import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** A sink connector of Kafka Connect, whose worker runs it: its tasks tell what is put into them, and keep nothing. */
public final class SinkClient extends SinkConnector {
    @Override
    public String version() {
        return AppInfoParser.getVersion();
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef();
    }

    @Override
    public Class<? extends Task> taskClass() {
        return Teller.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int most) {
        return Collections.nCopies(most, Map.of());
    }

    @Override
    public void start(Map<String, String> settings) {
    }

    @Override
    public void stop() {
    }

    /** Tells each record with its place. */
    public static final class Teller extends SinkTask {
        @Override
        public String version() {
            return AppInfoParser.getVersion();
        }

        @Override
        public void start(Map<String, String> settings) {
        }

        @Override
        public void put(Collection<SinkRecord> records) {
            for (SinkRecord record : records) {
                Given.tell("delivered", "value", record.value(), "partition", record.kafkaPartition(), "offset", record.kafkaOffset());
            }
        }

        @Override
        public void stop() {
        }
    }
}
