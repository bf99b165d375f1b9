// What the Node.js programs share: their arguments, their events, and how they are told to end.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

export const TRANSACTION_RECORDS = 10

const text = { type: 'string', default: '' }
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    bootstrap: text, topic: text, prefix: text, protocol: text, isolation: text, group: text, ca: text,
    mechanism: text, user: text, count: text, partitions: text, pace: text, idempotent: text, assign: text,
    'transactional-id': text, 'password-file': text
  }
})

export const given = {
  ...values,
  command: positionals[0],
  brokers: values.bootstrap.split(','),
  count: Number(values.count),
  partitions: Number(values.partitions),
  pace: Number(values.pace),
  idempotent: values.idempotent === 'true',
  assign: values.assign === 'true',
  transactionalId: values['transactional-id'],
  committedOnly: values.isolation === 'read_committed',
  ca: values.ca && readFileSync(values.ca, 'utf8'),
  caFile: values.ca,
  password: values['password-file'] && readFileSync(values['password-file'], 'utf8')
}

let stop
export const stopping = new Promise(resolve => { stop = resolve })
export let stopped = false
process.on('SIGTERM', () => {
  stopped = true
  stop()
})

/** Write one event. */
export function tell (event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, at: Date.now() / 1000, ...fields }) + '\n')
}

/** Whether a loop that has done this many goes on: up to `count`, or without end where none is given. */
export function more (done) {
  return !stopped && (given.count === 0 || done < given.count)
}

/** The key and value of a record: 100 keys, which any partitioner spreads. */
export function record (number, value = `${given.prefix}-${number}`) {
  return { key: `k${number % 100}`, value }
}

export function pause (milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

/** Write `count` records, or without end, one after the other; `send` returns where a record lies. */
export async function produce (send) {
  for (let number = 0; more(number); number++) {
    const each = record(number)
    try {
      tell('acked', { value: each.value, ...await send({ ...each }) }) // a library may change what it is given
    } catch (error) {
      tell('failed', { value: each.value, text: String(error) })
    }
    if (given.pace) await pause(given.pace)
  }
}

/**
 * Write transactions of ten records without end; an aborted one is told as failed and not tried again.
 * `open` returns a producer; a transaction has send, commit and abort.
 */
export async function produceTransactions (open, close) {
  let producer = null
  for (let number = 0; !stopped; number += TRANSACTION_RECORDS) {
    const records = Array.from({ length: TRANSACTION_RECORDS }, (_, each) => record(number + each))
    let transaction = null
    try {
      producer ??= await open()
      transaction = await producer.begin()
      const places = []
      for (const each of records) {
        places.push(await transaction.send({ ...each })) // a library may change what it is given
        if (given.pace) await pause(given.pace)
      }
      await transaction.commit()
      records.forEach((each, at) => tell('acked', { value: each.value, ...places[at] }))
      tell('committed')
    } catch (error) {
      for (const each of records) tell('failed', { value: each.value, text: String(error) })
      try {
        await transaction?.abort()
        tell('aborted')
      } catch (fatal) {
        tell('error', { text: String(fatal) })
        await close(producer).catch(failed => tell('error', { text: String(failed) }))
        producer = null
      }
    }
  }
  if (producer !== null) await close(producer)
}

/** Abort a transaction of `count` records, then commit one. */
export async function transact (producer) {
  for (const outcome of ['aborted', 'committed']) {
    const transaction = await producer.begin()
    for (let number = 0; number < given.count; number++) {
      await transaction.send(record(number, `${given.prefix}-${outcome}-${number}`))
    }
    await (outcome === 'committed' ? transaction.commit() : transaction.abort())
    tell(outcome)
  }
}

/** Ask until an answer is truthy; a broker may not have heard yet of what another has done. */
export async function until (ask) {
  for (let tries = 0; tries < 300; tries++) {
    const found = await ask()
    if (found) return found
    await pause(100)
  }
  throw new Error('no answer in 30 s')
}

/** Do what the command line says. */
export async function run (commands) {
  try {
    const command = commands[given.command]
    if (!command) throw new Error(`this library cannot ${given.command}`)
    await command()
    process.exit(0)
  } catch (error) {
    tell('error', { text: String(error) })
    console.error(error)
    process.exit(1)
  }
}
