/** Commands to paste while the demo is up: the same call in three languages, and what to look at afterwards. */
export interface Paste {
  readonly title: string
  readonly command: string
}

export function listPastes(
  url: string,
  controlUrl: string,
  deviceToken: string,
  apnsId: string,
): Paste[] {
  const python = `import xmlrpc.client as x; x.ServerProxy('${url}').notify('myapp', '${deviceToken}', {'aps': {'alert': 'from Python'}})`
  // Ruby's parser takes <nil/>, which is what notify answers, only when told to; pyapns' own client does the same
  const ruby = `XMLRPC::Config.send(:remove_const, :ENABLE_NIL_PARSER); XMLRPC::Config::ENABLE_NIL_PARSER = true; XMLRPC::Client.new2('${url}').call('notify', 'myapp', '${deviceToken}', {'aps' => {'alert' => 'from Ruby'}})`
  const xml = `<methodCall><methodName>notify</methodName><params><param><value>myapp</value></param><param><value>${deviceToken}</value></param><param><value><struct><member><name>aps</name><value><struct><member><name>alert</name><value>from curl</value></member></struct></value></member></struct></value></param></params></methodCall>`
  return [
    { title: 'notify from Python', command: `python3 -c "${python}"` },
    { title: 'notify from Ruby (gem xmlrpc)', command: `ruby -rxmlrpc/client -e "${ruby}"` },
    { title: 'notify with curl', command: `curl -s ${url}/ -d '${xml}'` },
    {
      title: 'what became of a notification',
      command: `curl -s ${url}/v1/notifications/${apnsId}`,
    },
    { title: 'the apps the daemon knows', command: `curl -s ${url}/v1/apps` },
    { title: 'what the device shows', command: `curl -s ${controlUrl}/devices/${deviceToken}` },
    { title: 'everything "Apple" took', command: `curl -s ${controlUrl}/notifications` },
  ]
}
