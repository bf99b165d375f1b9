// @platformatic/kafka: `node platformatic.mjs COMMAND ...`

import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { given, more, produce, produceTransactions, run, stopped, stopping, tell, transact, until } from './given.mjs'

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const settings = {
  clientId: 'matrix',
  bootstrapBrokers: given.brokers,
  ...(given.ca && {
    tls: { ca: [given.ca] },
    sasl: { mechanism: given.mechanism, username: given.user, password: given.password }
  })
}

function message (record) {
  return { topic: given.topic, ...record }
}

function place ({ offsets: [{ partition, offset }] }) {
  return { partition, offset: Number(offset) }
}

function producerWith (own) {
  return new Producer({ ...settings, serializers: stringSerializers, idempotent: given.idempotent, acks: -1, ...own })
}

async function transactional () {
  const producer = producerWith({ transactionalId: given.transactionalId, idempotent: true })
  return {
    async begin () {
      const transaction = await producer.beginTransaction()
      return {
        send: async record => place(await transaction.send({ messages: [message(record)] })),
        commit: () => transaction.commit(),
        abort: () => transaction.abort()
      }
    },
    close: () => producer.close()
  }
}

async function consume () {
  if (given.assign) throw new Error('this library reads in groups only')
  const forever = given.count === 0
  const consumer = new Consumer({
    ...settings,
    groupId: given.group,
    groupProtocol: given.protocol,
    deserializers: stringDeserializers,
    isolationLevel: given.committedOnly ? READ_COMMITTED : READ_UNCOMMITTED,
    autocommit: forever ? 1000 : false
  })
  consumer.on('consumer:group:join', ({ assignments }) => {
    const own = assignments?.find(each => each.topic === given.topic)
    tell('assigned', { partitions: own?.partitions.length ?? 0 })
  })
  const stream = await consumer.consume({ topics: [given.topic], mode: 'committed', fallbackMode: 'earliest' })
  stopping.then(() => stream.close())
  const places = new Map()
  let delivered = 0
  try {
    for await (const { value, partition, offset } of stream) {
      delivered++
      tell('delivered', { value, partition, offset: Number(offset) })
      places.set(partition, offset + 1n)
      if (!more(delivered)) break
    }
  } catch (error) {
    if (!stopped) throw error
  }
  if (!forever) {
    const offsets = [...places].map(([partition, offset]) => ({ topic: given.topic, partition, offset, leaderEpoch: -1 }))
    await consumer.commit({ offsets })
    tell('committed')
  }
  await consumer.close(true)
}

async function write () {
  const producer = producerWith({})
  await produce(async record => place(await producer.send({ messages: [message(record)] })))
  await producer.close()
}

await run({
  produce: write,
  'produce-forever': () =>
    given.transactionalId ? produceTransactions(transactional, producer => producer.close()) : write(),
  consume,
  'consume-forever': consume,
  async transact () {
    const producer = await transactional()
    await transact(producer)
    await producer.close()
  },
  async create () {
    const admin = new Admin(settings)
    await admin.createTopics({ topics: [given.topic], partitions: given.partitions, replicas: 3 })
    const partitions = await until(async () => {
      if (!(await admin.listTopics()).includes(given.topic)) return 0
      const found = await admin.metadata({ topics: [given.topic], forceUpdate: true })
      return found.topics.get(given.topic)?.partitionsCount
    })
    tell('created', { partitions })
    await admin.close()
  },
  async delete () {
    const admin = new Admin(settings)
    await admin.deleteTopics({ topics: [given.topic] })
    tell('deleted')
    await admin.close()
  }
})
