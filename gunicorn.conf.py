"""What gunicorn reads by itself when it is started in this folder."""

# By itself it believes whoever asks from this machine that he came over HTTPS. Whether there is a
# proxy to be believed, TRUSTED_PROXIES says.
secure_scheme_headers: dict[str, str] = {}
