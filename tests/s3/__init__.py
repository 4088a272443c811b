"""Tables in a real S3 API, the server of moto on loopback, in an environment of its own: make s3-test."""
