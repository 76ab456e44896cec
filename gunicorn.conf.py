"""What gunicorn reads by itself when it is started in this folder."""

# A process answers so many at once, and lives while one of them waits for a program's end. With one
# thread it answers nobody else meanwhile, and is killed for its silence after 30 s.
threads = 8

# A socket in the home of the user, to steer it by: a service has no home, and nobody asks for it.
control_socket_disable = True

# By itself it believes whoever asks from this machine that he came over HTTPS. Whether there is a
# proxy to be believed, TRUSTED_PROXIES says.
secure_scheme_headers: dict[str, str] = {}
