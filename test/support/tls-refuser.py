"""A TLS server that demands a client certificate of an authority it alone knows, and refuses every other by a TLS alert.

usage: tls-refuser.py CERTIFICATE_AND_KEY_PEM   (prints its port)
"""
import socket
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
context.verify_mode = ssl.CERT_REQUIRED  # and no authority is loaded: no certificate is good
context.set_alpn_protocols(["h2"])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()
