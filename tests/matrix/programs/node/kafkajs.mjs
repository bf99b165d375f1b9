// kafkajs: `node kafkajs.mjs COMMAND ...`

import kafkajs from 'kafkajs'
import { given, more, produce, produceTransactions, run, stopping, tell, transact } from './given.mjs'

const { Kafka, Partitioners, logLevel } = kafkajs

const kafka = new Kafka({
  brokers: given.brokers,
  logLevel: logLevel.WARN, // these go to standard error
  ...(given.ca && {
    ssl: { ca: [given.ca] },
    sasl: { mechanism: given.mechanism.toLowerCase(), username: given.user, password: given.password }
  })
})

function place ([{ partition, baseOffset }]) {
  return { partition, offset: Number(baseOffset) }
}

async function connected (own) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...(given.idempotent && { idempotent: true, maxInFlightRequests: 1 }),
    ...own
  })
  await producer.connect()
  return producer
}

async function transactional () {
  const producer = await connected({ transactionalId: given.transactionalId, idempotent: true, maxInFlightRequests: 1 })
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
  if (given.assign) throw new Error('kafkajs reads in groups only')
  const forever = given.count === 0
  const consumer = kafka.consumer({ groupId: given.group, readUncommitted: !given.committedOnly })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    tell('assigned', { partitions: (payload.memberAssignment[given.topic] ?? []).length })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => tell('error', { text: String(payload.error) }))
  await consumer.connect()
  await consumer.subscribe({ topic: given.topic, fromBeginning: true })
  const places = new Map()
  let delivered = 0
  const enough = new Promise(resolve => {
    consumer.run({
      autoCommit: forever,
      autoCommitInterval: 1000,
      eachMessage: async ({ partition, message }) => {
        if (!more(delivered)) return
        delivered++
        tell('delivered', { value: message.value.toString(), partition, offset: Number(message.offset) })
        places.set(partition, String(BigInt(message.offset) + 1n))
        if (!more(delivered)) resolve()
      }
    })
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
    await admin.createTopics({ topics: [topic], waitForLeaders: true })
    const found = await admin.fetchTopicMetadata({ topics: [given.topic] })
    tell('created', { partitions: found.topics[0].partitions.length })
  }),
  delete: () => withAdmin(async admin => {
    await admin.deleteTopics({ topics: [given.topic] })
    tell('deleted')
  })
})
