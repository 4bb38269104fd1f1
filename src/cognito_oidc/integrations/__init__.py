"""What others plug in: a module per framework, imported by its name, such as `cognito_oidc.integrations.fastapi`.

Each stands alone on the public names of the library and on its framework, and an ImportError names the extra that
installs it. Importing this package loads none of them.
"""
