"""A stand-in for a push service on Python's h2: 400 BadDeviceToken for device tokens in ff, 200 for all others.

usage: h2-server.py CERTIFICATE_AND_KEY_PEM   (prints its port)
"""
import asyncio
import ssl
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes

STREAM_LIMIT = 50


class Service(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.paths = {}
        self.connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.connection.initiate_connection()
        # h2 ends a connection on which more streams are open, once this is acknowledged
        self.connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: STREAM_LIMIT})
        transport.write(self.connection.data_to_send())

    def data_received(self, data):
        for event in self.connection.receive_data(data):
            if isinstance(event, RequestReceived):
                self.paths[event.stream_id] = dict(event.headers)[":path"]
            elif isinstance(event, DataReceived):
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.answer(event.stream_id)
        self.transport.write(self.connection.data_to_send())

    def answer(self, stream_id):
        if self.paths.pop(stream_id).startswith("/3/device/ff"):
            self.connection.send_headers(stream_id, [(":status", "400"), ("apns-id", "made-up")])
            self.connection.send_data(stream_id, b'{"reason":"BadDeviceToken"}', end_stream=True)
        else:
            self.connection.send_headers(stream_id, [(":status", "200")], end_stream=True)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    context.set_alpn_protocols(["h2"])
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
