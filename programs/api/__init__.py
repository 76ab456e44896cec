"""The REST API, on Django REST framework: an extra that nothing else here needs."""
