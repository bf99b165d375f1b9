// @confluentinc/kafka-javascript (librdkafka): `node confluent.mjs COMMAND ...`

import confluent from '@confluentinc/kafka-javascript'
import { given, more, produce, produceTransactions, run, stopping, tell, transact, until } from './given.mjs'

const { Kafka, logLevel } = confluent.KafkaJS

const kafka = new Kafka({
  kafkaJS: { brokers: given.brokers, logLevel: logLevel.NOTHING },
  ...(given.ca && {
    'security.protocol': 'sasl_ssl',
    'ssl.ca.location': given.caFile,
    'sasl.mechanism': given.mechanism,
    'sasl.username': given.user,
    'sasl.password': given.password
  })
})

function place ([{ partition, baseOffset, offset }]) {
  return { partition, offset: Number(offset ?? baseOffset ?? -1) }
}

async function connected (own) {
  const producer = kafka.producer({ 'enable.idempotence': given.idempotent, 'linger.ms': 0, ...own })
  await producer.connect()
  return producer
}

async function transactional () {
  const producer = await connected({ 'enable.idempotence': true, 'transactional.id': given.transactionalId })
  return {
    async begin () {
      const transaction = await producer.transaction()
      return {
        send: async record => place(await transaction.send({ topic: given.topic, messages: [record] })),
        commit: () => transaction.commit(),
        abort: () => transaction.abort()
      }
    },
    disconnect: () => producer.disconnect()
  }
}

async function consume () {
  if (given.assign) throw new Error('this interface reads in groups only')
  const forever = given.count === 0
  const consumer = kafka.consumer({
    'group.id': given.group,
    'group.protocol': given.protocol,
    'auto.offset.reset': 'earliest',
    'isolation.level': given.isolation,
    'enable.auto.commit': forever,
    'auto.commit.interval.ms': 1000,
    rebalance_cb: (error, assignment) => {
      if (error.code === confluent.CODES.ERRORS.ERR__ASSIGN_PARTITIONS) tell('assigned', { partitions: assignment.length })
    }
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [given.topic] })
  const places = new Map()
  let delivered = 0
  const enough = new Promise((resolve, reject) => {
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (!more(delivered)) return
        delivered++
        tell('delivered', { value: message.value.toString(), partition, offset: Number(message.offset) })
        places.set(partition, String(BigInt(message.offset) + 1n))
        if (!more(delivered)) resolve()
      }
    }).catch(reject)
  })
  await Promise.race([enough, stopping])
  if (!forever) {
    const offsets = [...places].map(([partition, offset]) => ({ topic: given.topic, partition, offset }))
    await consumer.commitOffsets(offsets)
    tell('committed')
  }
  await consumer.disconnect()
}

async function withAdmin (action) {
  const admin = kafka.admin()
  await admin.connect()
  await action(admin)
  await admin.disconnect()
}

async function write () {
  const producer = await connected({})
  await produce(async record => place(await producer.send({ topic: given.topic, messages: [record] })))
  await producer.disconnect()
}

await run({
  produce: write,
  'produce-forever': () =>
    given.transactionalId ? produceTransactions(transactional, producer => producer.disconnect()) : write(),
  consume,
  'consume-forever': consume,
  async transact () {
    const producer = await transactional()
    await transact(producer)
    await producer.disconnect()
  },
  create: () => withAdmin(async admin => {
    const topic = { topic: given.topic, numPartitions: given.partitions, replicationFactor: 3 }
    await admin.createTopics({ topics: [topic] })
    const partitions = await until(async () => {
      try {
        const [found] = await admin.fetchTopicMetadata({ topics: [given.topic] })
        return found.partitions.length
      } catch (error) {
        if (error.code === confluent.CODES.ERRORS.ERR_UNKNOWN_TOPIC_OR_PART) return 0
        throw error
      }
    })
    tell('created', { partitions })
  }),
  delete: () => withAdmin(async admin => {
    await admin.deleteTopics({ topics: [given.topic] })
    tell('deleted')
  })
})
