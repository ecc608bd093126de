export interface Proxy {
  readonly protocol: string
}
