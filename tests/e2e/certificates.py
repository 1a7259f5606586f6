# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for test servers: of our CA, expired, of a foreign CA."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem_key(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def signed_by(key, issuer, public_key, comment=b""):
    """A certificate for any public key, DER; with a comment as long as it may be."""
    now = datetime.datetime.utcnow()
    comments = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), comment)
    return (x509.CertificateBuilder().subject_name(name(issuer)).issuer_name(name(issuer))
            .public_key(public_key).serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY).not_valid_after(now + 30 * DAY)
            .add_extension(comments, False).sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.DER))


def self_signed(key, subject, size):
    """Of just so many bytes, DER."""
    comment = 300
    while len(made := signed_by(key, subject, key.public_key(), bytes(comment))) != size:
        comment += size - len(made)
    return made


class Authority:
    def __init__(self, directory, label):
        self.directory = str(directory)
        self.label = label
        self.key = rsa.generate_private_key(65537, 2048)
        self.certificate = self.make(label, self.key, None, True)
        self.path = self.write("ca", self.certificate.public_bytes(serialization.Encoding.PEM))

    def write(self, suffix, data):
        path = os.path.join(self.directory, f"{self.label}-{suffix}.pem")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def make(self, subject, key, issuer, is_ca, expired=False):
        now = datetime.datetime.utcnow()
        begin, end = (now - 3 * DAY, now - DAY) if expired else (now - DAY, now + 30 * DAY)
        builder = (x509.CertificateBuilder().subject_name(name(subject))
                   .issuer_name(name(issuer or subject)).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(is_ca, None), True))
        if not is_ca:
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            names += [x509.DNSName(subject)] if "." in subject else []
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, subject, expired=False):
        """Paths of a certificate and its key."""
        key = rsa.generate_private_key(65537, 2048)
        certificate = self.make(subject, key, self.label, False, expired)
        return (self.write(subject, certificate.public_bytes(serialization.Encoding.PEM)),
                self.write(subject + "-key", pem_key(key)))

    def server_context(self, subject="server", expired=False, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(subject, expired))
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return context
