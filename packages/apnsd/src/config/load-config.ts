import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { parse as parseYaml } from 'yaml'
import { ApnsdError } from '../base/errors.ts'
import { nearestName } from '../base/nearest.ts'
import { readSettingsFile } from './read-file.ts'
import { CONFIG_SCHEMA, type Config, listSettings, type Setting } from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** For the commands that talk to a running daemon; no settings of the daemon itself. */
const CLIENT_VARIABLES = ['APNSD_URL', 'APNSD_KEY']

/** What `apnsd serve` was given on its command line, by setting name. */
export type Options = Readonly<Record<string, string | boolean | undefined>>

/**
 * Puts the settings together: the command line before the environment, the environment before the file, the file before
 * the defaults.
 * @param file a YAML file
 * @param options by setting name, such as `apns.sandbox`
 * @throws {ApnsdError} invalid-configuration, naming the setting and where it was read
 */
export function loadConfig(
  file: string | undefined,
  options: Options,
  environment: Environment = process.env,
): Config {
  const settings = listSettings()
  const values: Record<string, unknown> = {}
  for (const { path, default: value } of settings) assign(values, path, value)
  const fromFile = file === undefined ? {} : readConfigFile(file, settings)
  const fromEnvironment = readEnvironment(environment, settings)
  for (const setting of settings) {
    const value =
      options[setting.name] ?? fromEnvironment[setting.name] ?? fromFile[setting.name] ?? undefined
    if (value !== undefined) assign(values, setting.path, value)
  }
  if (values['data'] === '') values['data'] = defaultDataFolder(environment)
  if (values['secretKey'] === '') values['secretKey'] = serviceManagerKey(environment)
  return check(values)
}

function check(values: Record<string, unknown>): Config {
  if (Value.Check(CONFIG_SCHEMA, values)) return values
  const [fault] = Value.Errors(CONFIG_SCHEMA, values)
  const name = (fault?.instancePath ?? '').slice(1).replaceAll('/', '.')
  const setting = listSettings().find((candidate) => candidate.name === name)
  throw new ApnsdError(
    'invalid-configuration',
    `The setting ${name} ${fault?.message ?? 'is wrong'}.`,
    setting === undefined ? {} : { hint: setting.description },
  )
}

function assign(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length === 0) values[key] = value
  else assign((values[key] ??= {}) as Record<string, unknown>, rest, value)
}

function readConfigFile(file: string, settings: readonly Setting[]): Record<string, unknown> {
  const text = readSettingsFile('configuration file', file)
  let parsed: unknown
  try {
    parsed = parseYaml(text)
  } catch (cause) {
    throw new ApnsdError(
      'invalid-configuration',
      `The configuration file ${file} cannot be read as YAML.`,
      { cause },
    )
  }
  const values: Record<string, unknown> = {}
  for (const [name, value] of flatten(parsed, '')) {
    refuseUnknown(
      name,
      settings.map((setting) => setting.name),
      `in ${file}`,
    )
    values[name] = value
  }
  return values
}

/** Walks nested mappings down to their values, under dotted names. */
function flatten(value: unknown, name: string): [string, unknown][] {
  if (value === null || value === undefined) return []
  if (typeof value !== 'object' || Array.isArray(value)) return [[name, value]]
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(inner, name === '' ? key : `${name}.${key}`),
  )
}

function readEnvironment(
  environment: Environment,
  settings: readonly Setting[],
): Record<string, unknown> {
  const known = [...settings.map((setting) => setting.variable), ...CLIENT_VARIABLES]
  const values: Record<string, unknown> = {}
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('APNSD_') || text === undefined) continue
    refuseUnknown(variable, known, 'in the environment')
    const setting = settings.find((candidate) => candidate.variable === variable)
    if (setting !== undefined) values[setting.name] = parseText(setting, text)
  }
  return values
}

function parseText({ type, variable }: Setting, text: string): string | number | boolean {
  if (type === 'string') return text
  if (type === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  if (type === 'boolean' && /^(true|false|1|0|yes|no)$/i.test(text))
    return /^(true|1|yes)$/i.test(text)
  throw new ApnsdError(
    'invalid-configuration',
    `${variable} in the environment is \`${text.slice(0, 100)}\`; it takes a ${type}.`,
  )
}

function refuseUnknown(name: string, known: readonly string[], where: string): void {
  if (known.includes(name)) return
  const nearest = nearestName(name, known)
  throw new ApnsdError('invalid-configuration', `There is no setting ${name} (${where}).`, {
    hint: nearest === undefined ? `Known: ${known.join(', ')}.` : `Did you mean ${nearest}?`,
  })
}

function defaultDataFolder(environment: Environment): string {
  const { STATE_DIRECTORY, XDG_STATE_HOME } = environment
  // systemd lists several folders separated by colons; the first is ours
  const [stateDirectory] = (STATE_DIRECTORY ?? '').split(':')
  if (stateDirectory) return stateDirectory
  return join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'apnsd')
}

/** A secret key that the service manager hands over as a file. [systemd.exec(5), LoadCredential=] */
function serviceManagerKey(environment: Environment): string {
  const { CREDENTIALS_DIRECTORY } = environment
  if (!CREDENTIALS_DIRECTORY) return ''
  try {
    return readFileSync(join(CREDENTIALS_DIRECTORY, 'apnsd-secret-key'), 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new ApnsdError(
      'invalid-configuration',
      'The service manager’s secret key cannot be read.',
      {
        cause,
      },
    )
  }
}
