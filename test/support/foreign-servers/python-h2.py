"""A stand-in for a push service on Python's h2: rejects device tokens in ff, the payload being its answer, takes others.

Every 100 requests it changes the size of the dynamic header table that it takes.

usage: python-h2.py CERTIFICATE_AND_KEY_PEM PORT STREAM_LIMIT IDLE_TIMEOUT_S TLSv1.2|TLSv1.3
"""
import asyncio
import ssl
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes

PEM, PORT, STREAM_LIMIT, IDLE_TIMEOUT_S, MAX_TLS_VERSION = sys.argv[1:]
HEADER_TABLE_BYTES = [0, 4096, 100, 65536]
REQUESTS_BETWEEN_CHANGES = 100


class Service(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.requests = {}
        self.count = 0
        self.idle = None
        self.connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.connection.initiate_connection()
        # h2 ends a connection on which more streams are open, once this is acknowledged
        self.connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: int(STREAM_LIMIT)})
        self.write()

    def connection_lost(self, error):
        self.idle.cancel()

    def data_received(self, data):
        for event in self.connection.receive_data(data):
            if isinstance(event, RequestReceived):
                self.requests[event.stream_id] = (dict(event.headers), [])
                self.count += 1
                if self.count % REQUESTS_BETWEEN_CHANGES == 0:
                    self.change_header_table()
            elif isinstance(event, DataReceived):
                self.requests[event.stream_id][1].append(event.data)
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.answer(event.stream_id)
        self.write()

    def change_header_table(self):
        change = self.count // REQUESTS_BETWEEN_CHANGES
        size = HEADER_TABLE_BYTES[change % len(HEADER_TABLE_BYTES)]
        self.connection.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})

    def answer(self, stream_id):
        fields, payload = self.requests.pop(stream_id)
        if fields[":path"].startswith("/3/device/ff"):
            self.connection.send_headers(stream_id, [(":status", "410")])
            self.connection.send_data(stream_id, b"".join(payload), end_stream=True)
        else:
            answer = [(":status", "200"), ("apns-unique-id", fields["apns-id"])]
            self.connection.send_headers(stream_id, answer, end_stream=True)

    def write(self):
        self.transport.write(self.connection.data_to_send())
        if self.idle:
            self.idle.cancel()
        self.idle = asyncio.get_running_loop().call_later(float(IDLE_TIMEOUT_S), self.end)

    def end(self):
        self.connection.close_connection()
        self.transport.write(self.connection.data_to_send())
        self.transport.close()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion[MAX_TLS_VERSION.replace(".", "_")]
    context.load_cert_chain(PEM)
    context.set_alpn_protocols(["h2"])
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", int(PORT), ssl=context)
    await server.serve_forever()


asyncio.run(main())
