import { ApnsdError } from '../../base/errors.ts'
import type { Fault } from './faults.ts'
import { checkCount, type Method, type Methods, readString } from './methods.ts'
import { isStruct, type XmlRpcValue } from './values.ts'

/** Calls in one `system.multicall`, run one after another while the caller waits. */
export const MAX_MULTICALLS = 1000

/** Characters of an unknown method's name that a fault shows. */
const MAX_NAME_CHARS = 100

/** Runs one call; system.multicall needs it for each of its own. */
export type Dispatch = (
  method: string,
  params: readonly XmlRpcValue[],
  isJson: boolean,
) => Promise<XmlRpcValue>

/**
 * Finds a method by its name.
 * @throws {ApnsdError} unknown-method, in Twisted's words.
 */
export function findMethod(methods: Methods, name: string): Method {
  const method = methods.get(name)
  if (method !== undefined) return method
  const shown = name.length <= MAX_NAME_CHARS ? name : `${name.slice(0, MAX_NAME_CHARS - 1)}…`
  throw new ApnsdError('unknown-method', `procedure ${shown} not found`)
}

/**
 * The methods by which clients ask what there is, and make many calls in one.
 * @param methods all that there are, these included once they are added.
 * @param toFault answers a call of system.multicall that threw.
 */
export function createSystemMethods(
  methods: Methods,
  dispatch: Dispatch,
  toFault: (thrown: unknown) => Fault,
): Map<string, Method> {
  return new Map([
    ['system.listMethods', createListMethods(methods)],
    ['system.methodHelp', createMethodHelp(methods)],
    ['system.methodSignature', createMethodSignature(methods)],
    ['system.multicall', createMulticall(dispatch, toFault)],
  ])
}

function createListMethods(methods: Methods): Method {
  const usage = 'system.listMethods()'
  return {
    usage,
    help: `${usage}: names every method.`,
    signatures: [['array']],
    async run(params) {
      checkCount(params, 0, 0, usage)
      return [...methods.keys()]
    },
  }
}

function createMethodHelp(methods: Methods): Method {
  const usage = 'system.methodHelp(method)'
  return {
    usage,
    help: `${usage}: says what a method does.`,
    signatures: [['string', 'string']],
    async run(params) {
      checkCount(params, 1, 1, usage)
      return findMethod(methods, readString(params, 0, 'method')).help
    },
  }
}

function createMethodSignature(methods: Methods): Method {
  const usage = 'system.methodSignature(method)'
  return {
    usage,
    help: `${usage}: lists the ways to call a method, each as the result's type and then the parameters'.`,
    signatures: [['array', 'string']],
    async run(params) {
      checkCount(params, 1, 1, usage)
      const { signatures } = findMethod(methods, readString(params, 0, 'method'))
      return signatures.map((types) => [...types])
    },
  }
}

function createMulticall(dispatch: Dispatch, toFault: (thrown: unknown) => Fault): Method {
  const usage = 'system.multicall(calls)'
  return {
    usage,
    help:
      `${usage}: runs up to ${MAX_MULTICALLS} calls, {methodName, params} each, one after another. Answers for each ` +
      'an array that holds its result, or a struct of faultCode and faultString.',
    signatures: [['array', 'array']],
    async run(params, isJson) {
      checkCount(params, 1, 1, usage)
      const answers: XmlRpcValue[] = []
      for (const call of readMulticalls(params[0] ?? null)) {
        try {
          const { method, params: own } = readMulticall(call)
          answers.push([await dispatch(method, own, isJson)])
        } catch (thrown) {
          answers.push(toFault(thrown))
        }
      }
      return answers
    },
  }
}

function readMulticalls(calls: XmlRpcValue): XmlRpcValue[] {
  if (!Array.isArray(calls)) {
    throw new ApnsdError('invalid-argument', 'calls must be an array of {methodName, params}.')
  }
  if (calls.length > MAX_MULTICALLS) {
    throw new ApnsdError(
      'invalid-argument',
      `There are ${calls.length} calls; one system.multicall takes up to ${MAX_MULTICALLS}.`,
    )
  }
  return calls
}

function readMulticall(call: XmlRpcValue): { method: string; params: XmlRpcValue[] } {
  if (isStruct(call)) {
    const { methodName, params } = call
    if (methodName === 'system.multicall') {
      throw new ApnsdError('invalid-argument', 'A system.multicall must not hold another.')
    }
    if (typeof methodName === 'string' && Array.isArray(params)) {
      return { method: methodName, params }
    }
  }
  throw new ApnsdError('invalid-argument', 'A call must be a struct of methodName and params.')
}
