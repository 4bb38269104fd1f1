"""Where tokens are kept: a module per store, imported by its name, such as `cognito_oidc.integrations.stores.file`.

Each class is a `cognito_oidc.TokenStore`, and takes `encryption_keys=`: keys of 32 bytes, or their base64url, newest
first. With keys what is stored is encrypted and bound to the key it is stored under. Importing this package loads none
of them.
"""
