# One image for web, worker and release: the command says which (see Procfile and compose.yaml).
FROM python:3.13-slim

# Log lines leave at once, and nothing is written beside the code.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

WORKDIR /app

# Before the code, so that a change of code installs nothing.
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

COPY . .
RUN python manage.py collectstatic --noinput \
    && useradd --system --no-create-home --uid 10001 app \
    && install --directory --owner=app media
# By its number: a cluster that wants to know that this is not root cannot look up a name.
USER 10001

EXPOSE 8000
CMD ["gunicorn", "executor_project.wsgi", "--bind", "0.0.0.0:8000"]
