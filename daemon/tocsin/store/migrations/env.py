"""What Alembic runs for each owner of tables: the writer's connection, and a version table of the owner's own."""

from alembic import context

options = context.config.attributes
context.configure(
    connection=options["connection"],
    version_table=options["version_table"],
    transactional_ddl=True,  # SQLite can, with a BEGIN of our own: half a migration is never kept
)
with context.begin_transaction():
    context.run_migrations()
