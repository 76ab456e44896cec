"""The way to RabbitMQ and back: only these modules import pika, and none knows a database."""
