import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { runScript } from '../support/script.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'

const PYTHON = `
import sys, xmlrpc.client
url, pem, dead = sys.argv[1:]
server = xmlrpc.client.ServerProxy(url)
def fault(call):
    try: call()
    except xmlrpc.client.Fault as error: return error.faultCode
token = '${DEVICE_TOKEN}'
print(fault(lambda: server.notify('py', token, {'aps': {'alert': 'too early'}})))
print(server.provision('py', pem, 'sandbox', 15))
print(server.provision('py', open(pem).read(), 'sandbox', 15))
print(fault(lambda: server.provision('py', pem, 'staging', 15)))
print(server.notify('py', token.upper(), {'aps': {'alert': 'Grüße 👋', 'badge': 1}}))
print(server.notify('py', [token, 'cd' * 32], [{'aps': {'badge': 2}}, {'aps': {'badge': 3}}]))
print(server.notify('py', [token, dead], {'aps': {'alert': 'to all'}}))
print(fault(lambda: server.notify('py', [token, token], [{'aps': {}}])))
print(fault(lambda: server.notify('py', 'zz', {'aps': {}})))
print(server.system.listMethods()[0])
calls = xmlrpc.client.MultiCall(server)
calls.notify('py', token, {'aps': {'badge': 4}})
calls.notify('nobody', token, {'aps': {}})
results = calls()
print(results[0])
print(fault(lambda: results[1]))
`

const RUBY = `
require 'xmlrpc/client'
XMLRPC::Config.send(:remove_const, :ENABLE_NIL_PARSER)
XMLRPC::Config::ENABLE_NIL_PARSER = true
url, pem = ARGV
server = XMLRPC::Client.new2(url)
def fault
  yield
rescue XMLRPC::FaultException => error
  error.faultCode
end
token = '${DEVICE_TOKEN}'
p fault { server.call('feedback', 'rb') }
p server.call('provision', 'rb', pem, 'sandbox', 15)
p server.call('notify', 'rb', token, [{ 'aps' => { 'alert' => 'hello? ü', 'badge' => 9 } }])
p server.call('notify', 'rb', [token], [{ 'aps' => { 'badge' => 10 } }])
p fault { server.call('provision', 'rb', pem, 'staging', 15) }
p server.call('feedback', 'rb')
`

describe('XML-RPC clients that know nothing of apnsd', () => {
  let stage: Stage
  let path = ''
  before(async () => {
    stage = await Stage.open()
    path = stage.writePem(stage.simulator.issueCertificate({ topic: TOPIC }).pem)
  })
  after(() => stage.close())
  beforeEach(() => stage.simulator.clearNotifications())

  it('Python’s xmlrpc.client provisions, notifies and reads feedback', {
    skip: missing('python3'),
  }, async () => {
    const dead = 'ef'.repeat(32)
    stage.simulator.killDevice(dead, { timestampMs: Date.UTC(2026, 0, 2, 3, 4, 5) })
    const printed = await runScript('python3', ['-c', PYTHON, stage.daemon.url, path, dead])
    assert.deepEqual(printed.trim().split('\n'), [
      '404',
      'None',
      'None',
      '401',
      'None',
      'None',
      'None',
      '400',
      '400',
      'provision',
      'None',
      '404',
    ])
    const taken = await stage.settled(5)
    assert.deepEqual(
      taken.map(({ payload }) => payload),
      [
        { aps: { alert: 'Grüße 👋', badge: 1 } },
        { aps: { badge: 2 } },
        { aps: { badge: 3 } },
        { aps: { alert: 'to all' } },
        { aps: { badge: 4 } },
      ],
    )
    assert.equal(taken[0]?.deviceToken, DEVICE_TOKEN)
    const rejected = stage.simulator.answers().find(({ status }) => status === 410)
    assert.equal((await stage.outcome(rejected?.apnsId ?? '')).reason, 'Unregistered')
    const feedback =
      'import sys, xmlrpc.client; print(xmlrpc.client.ServerProxy(sys.argv[1]).feedback("py"))'
    const first = await runScript('python3', ['-c', feedback, stage.daemon.url])
    assert.match(first, /20260102T03:04:05/)
    assert.ok(first.includes(dead))
    assert.equal((await runScript('python3', ['-c', feedback, stage.daemon.url])).trim(), '[]')
  })

  it('Ruby’s xmlrpc sends one device token with the notification in a list', {
    skip: missing('ruby'),
  }, async () => {
    const printed = await runScript('ruby', ['-e', RUBY, stage.daemon.url, path])
    assert.deepEqual(printed.trim().split('\n'), ['404', 'nil', 'nil', 'nil', '401', '[]'])
    const taken = await stage.settled(2)
    assert.deepEqual(
      taken.map(({ payload }) => payload),
      [{ aps: { alert: 'hello? ü', badge: 9 } }, { aps: { badge: 10 } }],
    )
  })

  it('curl sends with a document of bare text values', { skip: missing('curl') }, async () => {
    const xml = `<methodCall><methodName>notify</methodName><params><param><value>curl</value></param><param><value>${DEVICE_TOKEN}</value></param><param><value><struct><member><name>aps</name><value><struct><member><name>alert</name><value>from curl</value></member></struct></value></member></struct></value></param></params></methodCall>`
    await stage.call('provision', 'curl', path, 'sandbox', 15)
    const printed = await runScript('curl', ['-s', `${stage.daemon.url}/RPC2`, '-d', xml])
    assert.match(printed, /<nil\/>/)
    const [taken] = await stage.settled(1)
    assert.deepEqual(taken?.payload, { aps: { alert: 'from curl' } })
  })
})
