from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("programs", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="program",
            options={
                "ordering": ("-id",),
                "permissions": (
                    ("stop_program", "Can stop programs"),
                    ("retry_program", "Can retry programs"),
                    ("pause_program", "Can pause and resume programs"),
                    ("skip_program_step", "Can skip a step of a program"),
                    ("edit_program_data", "Can edit the data of programs"),
                    ("reveal_secrets", "Can see secrets in the data of programs"),
                ),
            },
        ),
    ]
