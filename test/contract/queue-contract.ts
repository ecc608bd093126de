import { describe } from 'node:test'
import { describeQueueBasics } from './queue-basics.ts'
import { describeQueueBounds } from './queue-bounds.ts'
import { describeQueueOrder } from './queue-order.ts'
import { type MakeQueue, QueueStage } from './queue-stage.ts'

/** What every queue promises; see core/ports.ts. */
export function describeQueueContract(name: string, makeQueue: MakeQueue): void {
  describe(`the queue's contract: ${name}`, () => {
    const stage = new QueueStage(makeQueue)
    describeQueueBasics(stage)
    describeQueueOrder(stage)
    describeQueueBounds(stage)
  })
}
