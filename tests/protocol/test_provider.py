import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.provider import PARTITIONS, UserPool
from tests.answers import anything, outcome

POOL_ID = "eu-west-1_AbC123xyz"
ORIGINAL = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"
UPDATED = f"https://issuer-cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"


@pytest.mark.parametrize(
    ("arguments", "issuer"),
    [
        pytest.param({"pool_id": POOL_ID}, ORIGINAL, id="original"),
        pytest.param({"pool_id": POOL_ID, "issuer_type": "updated"}, UPDATED, id="updated, with a hyphen"),
        pytest.param(
            {"pool_id": POOL_ID, "region": "eu-west-1", "fips": True}, ORIGINAL, id="FIPS does not change the issuer"
        ),
        pytest.param(
            {"pool_id": "us-gov-west-1_Gov1"},
            "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_Gov1",
            id="GovCloud west",
        ),
        pytest.param(
            {"pool_id": "us-gov-east-1_Gov1", "issuer_type": "updated"},
            "https://issuer-cognito-idp.us-gov-east-1.amazonaws.com/us-gov-east-1_Gov1",
            id="GovCloud east, updated",
        ),
        pytest.param(
            {"pool_id": "eusc-de-east-1_Sov1", "dns_suffix": "amazonaws.eu"},
            "https://cognito-idp.eusc-de-east-1.amazonaws.eu/eusc-de-east-1_Sov1",
            id="European Sovereign Cloud",
        ),
        pytest.param(
            {"pool_id": "cn-north-1_Cn1", "dns_suffix": "amazonaws.com.cn"},
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Cn1",
            id="China",
        ),
        pytest.param(
            {"pool_id": "us-isob-east-1_Iso1", "dns_suffix": "sc2s.sgov.gov"},
            "https://cognito-idp.us-isob-east-1.sc2s.sgov.gov/us-isob-east-1_Iso1",
            id="ISOB",
        ),
        pytest.param(
            {"pool_id": POOL_ID, "endpoint_url": "http://127.0.0.1:9229"},
            f"http://127.0.0.1:9229/{POOL_ID}",
            id="local",
        ),
        pytest.param(
            {"pool_id": POOL_ID, "endpoint_url": "http://localhost:9229/", "issuer_type": "updated"},
            f"http://localhost:9229/issuer-cognito-idp/{POOL_ID}",
            id="local, updated",
        ),
        pytest.param(
            {"pool_id": "cn-north-1_Cn1", "endpoint_url": "http://[::1]:9229/aws"},
            "http://[::1]:9229/aws/cn-north-1_Cn1",
            id="local needs no suffix",
        ),
        pytest.param(
            {"pool_id": POOL_ID, "endpoint_url": "http://cognito:9229", "allow_insecure_http": True},
            f"http://cognito:9229/{POOL_ID}",
            id="local in a container network",
        ),
    ],
)
def test_the_issuer_is_computed(arguments: dict[str, str], issuer: str) -> None:
    """Wire sheet 1.1: the issuer of each type and partition; discovery and keys lie under it."""
    pool = UserPool(**arguments)  # type: ignore[arg-type]
    assert pool.issuer == issuer
    assert pool.discovery_url == f"{issuer}/.well-known/openid-configuration"
    assert pool.jwks_uri == f"{issuer}/.well-known/jwks.json"


@pytest.mark.parametrize("issuer_type", ["original", "updated"])
def test_both_issuers_are_accepted_each_with_its_own_keys(issuer_type: str) -> None:
    """Wire sheet 7.1: the key URL comes from a fixed table of the pool's two issuers, original first."""
    pool = UserPool(POOL_ID, issuer_type=issuer_type)  # type: ignore[arg-type]
    assert list(pool.accepted_issuers.items()) == [
        (ORIGINAL, f"{ORIGINAL}/.well-known/jwks.json"),
        (UPDATED, f"{UPDATED}/.well-known/jwks.json"),
    ]


def test_the_accepted_issuers_cannot_be_changed() -> None:
    """Nobody adds an issuer to a pool that was made."""
    with pytest.raises(TypeError):
        UserPool(POOL_ID).accepted_issuers["https://evil"] = "https://evil/keys"  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "base"),
    [
        pytest.param({"domain": "acme"}, "https://acme.auth.eu-west-1.amazoncognito.com", id="prefix"),
        pytest.param(
            {"domain": "acme", "fips": True}, "https://acme.auth-fips.eu-west-1.amazoncognito.com", id="prefix, FIPS"
        ),
        pytest.param({"domain": "a"}, "https://a.auth.eu-west-1.amazoncognito.com", id="prefix of one character"),
        pytest.param({"domain": "a" * 63}, f"https://{'a' * 63}.auth.eu-west-1.amazoncognito.com", id="longest prefix"),
        pytest.param({"domain": "a-1--b"}, "https://a-1--b.auth.eu-west-1.amazoncognito.com", id="prefix with hyphens"),
        pytest.param({"domain": "login.acme.com"}, "https://login.acme.com", id="custom"),
        pytest.param({"domain": "login.acme.com", "fips": True}, "https://login.acme.com", id="custom, FIPS"),
        pytest.param(
            {"domain": "acme.auth.eu-west-1.amazoncognito.com"},
            "https://acme.auth.eu-west-1.amazoncognito.com",
            id="prefix as a host",
        ),
        pytest.param({"domain": "https://login.acme.com/"}, "https://login.acme.com", id="URL"),
        pytest.param(
            {"domain": "https://login.acme.com:8443/auth"}, "https://login.acme.com:8443/auth", id="URL, path"
        ),
        pytest.param({"domain": "http://localhost:9229/acme"}, "http://localhost:9229/acme", id="URL on loopback"),
        pytest.param(
            {"domain": "http://cognito:9229/acme", "allow_insecure_http": True}, "http://cognito:9229/acme", id="http"
        ),
        pytest.param(
            {"domain": "acme", "endpoint_url": "http://127.0.0.1:9229/"},
            "http://127.0.0.1:9229/acme",
            id="local prefix",
        ),
        pytest.param(
            {"domain": "login.acme.com", "endpoint_url": "http://127.0.0.1:9229"},
            "https://login.acme.com",
            id="local host",
        ),
        pytest.param(
            {"pool_id": "us-gov-west-1_Gov1", "domain": "acme"},
            "https://acme.auth-fips.us-gov-west-1.amazoncognito.com",
            id="GovCloud west has FIPS prefixes alone",
        ),
        pytest.param(
            {"pool_id": "us-gov-east-1_Gov1", "domain": "login.acme.gov"},
            "https://login.acme.gov",
            id="GovCloud, custom",
        ),
        pytest.param(
            {"pool_id": "eusc-de-east-1_Sov1", "dns_suffix": "amazonaws.eu", "domain": "login.acme.eu"},
            "https://login.acme.eu",
            id="sovereign, custom",
        ),
    ],
)
def test_endpoints_lie_on_the_domain(arguments: dict[str, str], base: str) -> None:
    """Wire sheet 1.2: every form of domain, and the paths of section 2 to 6, with userInfo's capital I."""
    pool = UserPool(**{"pool_id": POOL_ID, **arguments})  # type: ignore[arg-type]
    assert {
        "authorization_endpoint": pool.authorization_endpoint,
        "token_endpoint": pool.token_endpoint,
        "userinfo_endpoint": pool.userinfo_endpoint,
        "revocation_endpoint": pool.revocation_endpoint,
        "end_session_endpoint": pool.end_session_endpoint,
        "idp_response_endpoint": pool.idp_response_endpoint,
    } == {
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "token_endpoint": f"{base}/oauth2/token",
        "userinfo_endpoint": f"{base}/oauth2/userInfo",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "end_session_endpoint": f"{base}/logout",
        "idp_response_endpoint": f"{base}/oauth2/idpresponse",
    }


@pytest.mark.parametrize(
    "region",
    [
        *[
            "af-south-1",
            "ap-east-1",
            "ap-east-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-south-2",
        ],
        *["ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6"],
        *[
            "ap-southeast-7",
            "ca-central-1",
            "ca-west-1",
            "eu-central-1",
            "eu-central-2",
            "eu-north-1",
            "eu-south-1",
            "eu-south-2",
        ],
        *[
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "il-central-1",
            "me-central-1",
            "me-south-1",
            "mx-central-1",
            "sa-east-1",
        ],
        *["us-east-1", "us-east-2", "us-west-1", "us-west-2", "xy-somewhere-12"],
    ],
)
def test_every_region_of_the_wire_sheet_and_new_ones_work(region: str) -> None:
    """Wire sheet 1.4: Regions are read from the id, and no list of them is held."""
    pool = UserPool(f"{region}_Abc123", domain="acme")
    assert (pool.region, pool.issuer) == (region, f"https://cognito-idp.{region}.amazonaws.com/{region}_Abc123")
    assert pool.token_endpoint == f"https://acme.auth.{region}.amazoncognito.com/oauth2/token"


def test_every_partition_has_a_source() -> None:
    """Each row of the table says where its facts come from, and the last one takes every Region."""
    assert all(row.source for row in PARTITIONS)
    assert [row.region_prefix for row in PARTITIONS][-1] == ""


@pytest.mark.parametrize(
    ("pool_id", "shown"),
    [
        pytest.param("", "''", id="empty"),
        pytest.param("eu-west-1", "'eu-west-1'", id="a Region alone"),
        pytest.param("eu-west-1_", "'eu-west-1_'", id="nothing after the Region"),
        pytest.param("AbC123xyz", "'AbC123xyz'", id="no Region"),
        pytest.param("_AbC123xyz", "'_AbC123xyz'", id="an empty Region"),
        pytest.param("eu-west-1:0ea3d92e-5f0c", "'eu-west-1:0ea3d92e-5f0c'", id="an identity pool"),
        pytest.param("euwest1_AbC", "'euwest1_AbC'", id="a Region without hyphens"),
        pytest.param("EU-WEST-1_AbC", "'EU-WEST-1_AbC'", id="upper case"),
        pytest.param("eu-west-1_AbC-123", "'eu-west-1_AbC-123'", id="a hyphen after the Region"),
        pytest.param("eu-west-1_AbC_1", "'eu-west-1_AbC_1'", id="two underscores"),
        pytest.param(" eu-west-1_AbC", "' eu-west-1_AbC'", id="a space before"),
        pytest.param("eu-west-1_AbC\n", r"'eu-west-1_AbC\\n'", id="a line break after"),
        pytest.param("eu-west-1_AbC/../x", "'eu-west-1_AbC/../x'", id="a path"),
        pytest.param("eu-west-1.evil.com_AbC", "'eu-west-1.evil.com_AbC'", id="a host"),
        pytest.param("eu-west-1_" + "a" * 46, "'eu-west-1_a{46}'", id="56 characters"),
        pytest.param("eu-west-1_Äb", "'eu-west-1_Äb'", id="no ASCII letter"),
        pytest.param("eu-west-1_\u0661", "'eu-west-1_\u0661'", id="no ASCII digit"),
        pytest.param(None, "nothing", id="nothing"),
        pytest.param(b"eu-west-1_AbC", "a value of type bytes", id="bytes"),
    ],
)
def test_a_bad_pool_id_is_refused(pool_id: str, shown: str) -> None:
    """Wire sheet 1.4: the message shows what came, the form expected, and where to find it."""
    with pytest.raises(
        ConfigurationError, match=rf"^{shown} is no user pool id: .*'eu-west-1_AbC123xyz' .*User pool ID; .*from_issuer"
    ):
        UserPool(pool_id)


def test_the_longest_pool_id_is_accepted() -> None:
    """55 characters are the service model's limit."""
    assert UserPool("eu-west-1_" + "a" * 45).region == "eu-west-1"


BAD_ARGUMENTS = [
    pytest.param(
        {"region": "eu-west-2"}, r"region='eu-west-2' .* pool id, which is in eu-west-1: leave it out", id="region"
    ),
    pytest.param({"region": ["eu-west-1"]}, r"region=a value of type list", id="region, no text"),
    pytest.param(
        {"issuer_type": "UPDATED"}, r"issuer_type='UPDATED': expected 'original' or 'updated'", id="issuer type"
    ),
    pytest.param({"issuer_type": None}, r"issuer_type=nothing: expected", id="issuer type None"),
    pytest.param({"issuer_type": []}, r"issuer_type=a value of type list: expected", id="issuer type unhashable"),
    pytest.param({"fips": "false"}, r"fips='false': expected True or False", id="fips as a text"),
    pytest.param({"allow_insecure_http": "0"}, r"allow_insecure_http='0': expected True or False", id="http as a text"),
    pytest.param({"allow_insecure_http": None}, r"allow_insecure_http=nothing: expected True", id="http None"),
    pytest.param(
        {"endpoint_url": "127.0.0.1:9229"}, r"endpoint_url '127.0.0.1:9229' cannot be used: .*https://", id="URL"
    ),
    pytest.param({"endpoint_url": "http://cognito:9229"}, r"http is only accepted for localhost", id="http elsewhere"),
    pytest.param({"endpoint_url": 9229}, r"endpoint_url a value of type int cannot be used", id="endpoint_url no text"),
    pytest.param(
        {"dns_suffix": ".amazonaws.eu"}, r"dns_suffix='.amazonaws.eu': .*such as 'amazonaws.eu'", id="a dot first"
    ),
    pytest.param({"dns_suffix": ""}, r"dns_suffix='': expected", id="empty suffix"),
    pytest.param({"dns_suffix": 5}, r"dns_suffix=a value of type int: expected", id="suffix no text"),
    pytest.param({"dns_suffix": "evil.com/"}, r"dns_suffix='evil.com/': expected", id="suffix with a path"),
    pytest.param({"domain": ""}, r"domain='' is no domain: .*or leave it out", id="empty domain"),
    pytest.param({"domain": 5}, r"domain=a value of type int is no domain", id="domain no text"),
    pytest.param({"domain": b"acme"}, r"domain=a value of type bytes is no domain", id="domain in bytes"),
    pytest.param({"domain": "Acme"}, r"domain='Acme' is no domain prefix: .*lower-case", id="upper case"),
    pytest.param({"domain": "-acme"}, r"is no domain prefix: .*inner hyphens", id="hyphen first"),
    pytest.param({"domain": "acme-"}, r"is no domain prefix", id="hyphen last"),
    pytest.param({"domain": "ac_me"}, r"is no domain prefix", id="underscore"),
    pytest.param({"domain": "a" * 64}, r"is no domain prefix: expected 1 to 63", id="64 characters"),
    pytest.param({"domain": "acme\n"}, r"is no domain prefix", id="line break"),
    pytest.param({"domain": "my-aws-app"}, r"without 'aws', 'amazon' or 'cognito'", id="aws"),
    pytest.param({"domain": "amazonia"}, r"without 'aws', 'amazon' or 'cognito'", id="amazon"),
    pytest.param({"domain": "cognito1"}, r"without 'aws', 'amazon' or 'cognito'", id="cognito"),
    pytest.param({"domain": "localhost:9229"}, r"is no domain prefix: .*its host name", id="host and port, no dot"),
    pytest.param({"domain": "Login.Acme.com"}, r"is no host name: expected lower-case", id="host in upper case"),
    pytest.param({"domain": "login.acme.com:8443"}, r"With a port or a path, pass a URL", id="host with a port"),
    pytest.param({"domain": "login.acme.com/x"}, r"With a port or a path, pass a URL", id="host with a path"),
    pytest.param({"domain": "login..acme.com"}, r"is no host name", id="two dots"),
    pytest.param({"domain": "login.acme.com."}, r"is no host name", id="final dot"),
    pytest.param({"domain": "-a.acme.com"}, r"is no host name", id="label with a hyphen first"),
    pytest.param({"domain": "a" * 64 + ".com"}, r"is no host name", id="label too long"),
    pytest.param({"domain": ".".join(["a" * 60] * 5)}, r"is no host name", id="host too long"),
    pytest.param({"domain": "münchen.de"}, r"is no host name", id="host not ASCII"),
    pytest.param(
        {"domain": "http://login.acme.com"}, r"domain 'http://login.acme.com' cannot be used: http is", id="http"
    ),
    pytest.param({"domain": "https://login.acme.com?x"}, r"cannot be used: it must not hold", id="query"),
    pytest.param(
        {"domain": "https://login.acme.com/oauth2/token"}, r"address of an endpoint: leave out '/oauth2'", id="endpoint"
    ),
    pytest.param({"pool_id": "eusc-de-east-1_S"}, r"in eusc-de-east-1 ends is not known .*dns_suffix=", id="eusc"),
    pytest.param({"pool_id": "cn-north-1_S"}, r"in cn-north-1 ends is not known", id="China"),
    pytest.param({"pool_id": "us-iso-east-1_S"}, r"in us-iso-east-1 ends is not known", id="ISO"),
    pytest.param({"pool_id": "us-isob-east-1_S"}, r"in us-isob-east-1 ends is not known", id="ISOB"),
    pytest.param({"pool_id": "eu-isoe-west-1_S"}, r"in eu-isoe-west-1 ends is not known", id="ISOE"),
    pytest.param({"pool_id": "us-isof-south-1_S"}, r"in us-isof-south-1 ends is not known", id="ISOF"),
    pytest.param(
        {"pool_id": "eusc-de-east-1_S", "dns_suffix": "amazonaws.eu", "domain": "acme"},
        r"prefix domains in eusc-de-east-1 is not known .*pass the whole host name",
        id="prefix in the sovereign cloud",
    ),
    pytest.param(
        {"pool_id": "us-gov-east-1_S", "domain": "acme"},
        r"prefix domains in us-gov-east-1 is not known .*pass the whole host name",
        id="prefix in GovCloud east",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_a_bad_argument_is_refused(arguments: dict[str, str], message: str) -> None:
    """The message names the argument, shows what came, and says what to pass instead."""
    with pytest.raises(ConfigurationError, match=message):
        UserPool(**{"pool_id": POOL_ID, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "revocation_endpoint",
        "end_session_endpoint",
        "idp_response_endpoint",
    ],
)
def test_an_endpoint_without_a_domain_says_what_to_pass(name: str) -> None:
    """A pool without a domain verifies tokens, and says what it lacks when it is asked for more."""
    with pytest.raises(
        ConfigurationError, match=rf"^{name} needs the pool's domain: pass UserPool\('{POOL_ID}', domain="
    ):
        getattr(UserPool(POOL_ID), name)


IN_UNKNOWN_PARTITIONS = [
    pytest.param(UserPool("eusc-de-east-1_Sov1", dns_suffix="amazonaws.eu"), id="sovereign"),
    pytest.param(UserPool("cn-north-1_Cn1", dns_suffix="amazonaws.com.cn", issuer_type="updated"), id="China, updated"),
    pytest.param(UserPool("us-isob-east-1_Iso1", dns_suffix="sc2s.sgov.gov"), id="isolated"),
]
ROUND_TRIPS = [
    pytest.param(UserPool(POOL_ID), id="original"),
    pytest.param(UserPool(POOL_ID, issuer_type="updated"), id="updated"),
    pytest.param(UserPool("us-gov-west-1_Gov1"), id="GovCloud"),
    pytest.param(UserPool("us-gov-east-1_Gov1", issuer_type="updated"), id="GovCloud, updated"),
    pytest.param(UserPool(POOL_ID, endpoint_url="http://127.0.0.1:9229"), id="local"),
    pytest.param(UserPool(POOL_ID, endpoint_url="http://[::1]:1/a/b", issuer_type="updated"), id="local, updated"),
    pytest.param(UserPool(POOL_ID, endpoint_url="https://localhost:9229"), id="local, https"),
]


@pytest.mark.parametrize("pool", ROUND_TRIPS)
def test_a_pool_is_made_again_from_its_issuer(pool: UserPool) -> None:
    """`from_issuer` gives back the pool that has this issuer, of either type."""
    assert UserPool.from_issuer(pool.issuer) == pool


@pytest.mark.parametrize("pool", IN_UNKNOWN_PARTITIONS)
def test_a_host_that_ends_as_nobody_knows_takes_somebody_who_does(pool: UserPool) -> None:
    """Whoever has the issuer's host has the keys: its end is known to the library, or said by the caller."""
    suffix = pool.issuer.partition(f".{pool.region}.")[2].partition("/")[0]
    with pytest.raises(ConfigurationError, match=rf"if '{suffix}' is AWS's, pass dns_suffix='{suffix}'"):
        UserPool.from_issuer(pool.issuer)
    with pytest.raises(ConfigurationError, match=r"end in 'amazonaws\.com'"):
        UserPool.from_issuer(pool.issuer, dns_suffix="amazonaws.com")
    assert UserPool.from_issuer(pool.issuer, dns_suffix=suffix) == pool


def test_from_issuer_takes_the_domain_and_the_loud_switch() -> None:
    """What the issuer cannot say is passed on; another host over http needs the switch."""
    pool = UserPool.from_issuer(f"http://cognito:9229/{POOL_ID}", domain="acme", fips=True, allow_insecure_http=True)
    assert pool == UserPool(
        POOL_ID, domain="acme", fips=True, endpoint_url="http://cognito:9229", allow_insecure_http=True
    )


@pytest.mark.parametrize(
    ("issuer", "message"),
    [
        pytest.param(None, r"the issuer nothing cannot be used", id="nothing"),
        pytest.param("", r"the issuer '' cannot be used", id="empty"),
        pytest.param(POOL_ID, r"begins with https://", id="a pool id"),
        pytest.param(ORIGINAL.replace("https", "http"), r"http is only accepted for localhost", id="http"),
        pytest.param(ORIGINAL + "/", r"with nothing after it, as in the iss of a token", id="trailing slash"),
        pytest.param(ORIGINAL + "/.well-known/openid-configuration", r"with nothing after it", id="the discovery URL"),
        pytest.param(ORIGINAL + "?x", r"a query", id="a query"),
        pytest.param(ORIGINAL.replace("idp.", "idp-fips."), r"is not that of a user pool", id="the FIPS API host"),
        pytest.param(UPDATED.replace("issuer-", "issuer."), r"is not that of a user pool", id="a dot for the hyphen"),
        pytest.param(ORIGINAL.replace("com/", "com:443/"), r"is not that of a user pool", id="a port"),
        pytest.param(
            ORIGINAL.replace("amazonaws.com", "evil.com"), r"hosts in eu-west-1 end in 'amazonaws.com'", id="host"
        ),
        pytest.param(ORIGINAL.replace("com/", "com.evil.com/"), r"end in 'amazonaws.com'", id="a longer host"),
        pytest.param(
            ORIGINAL.replace("eu-west-1.", "europe."), r"is not that of a user pool", id="a Region that is none"
        ),
        pytest.param("https://evil.com/" + POOL_ID, r"is not that of a user pool", id="another host"),
        pytest.param("https://acme.auth.eu-west-1.amazoncognito.com", r"is not that of a user pool", id="the domain"),
        pytest.param(
            ORIGINAL.replace("/eu-west-1_", "/us-east-1_"),
            r"its host is in eu-west-1, its pool id is not",
            id="Regions",
        ),
        pytest.param(
            ORIGINAL.replace(POOL_ID, "AbC"), r"its host is in eu-west-1, its pool id is not", id="no pool id"
        ),
        pytest.param(ORIGINAL + "-x", r"is no user pool id", id="a bad pool id"),
        pytest.param("http://localhost:9229/orders", r"'orders' is no user pool id", id="a local address"),
        pytest.param("https://login.microsoftonline.com/x/v2.0", r"is not that of a user pool", id="another provider"),
    ],
)
def test_a_bad_issuer_is_refused(issuer: str, message: str) -> None:
    """A URL that is no user pool's issuer is refused with what an issuer looks like."""
    with pytest.raises(ConfigurationError, match=message):
        UserPool.from_issuer(issuer)


@pytest.mark.parametrize("issuer", [f"https://evil.com/{POOL_ID}", ORIGINAL.replace("com/", "com.evil.com/")])
def test_the_loud_switch_is_for_http_alone(issuer: str) -> None:
    """It allows http in a network of one's own, and makes no other host over https an issuer."""
    with pytest.raises(ConfigurationError, match="issuer"):
        UserPool.from_issuer(issuer, allow_insecure_http=True)


def test_an_issuer_in_another_writing_is_refused() -> None:
    """`iss` is compared as a string, so a second slash would fail every token later."""
    with pytest.raises(ConfigurationError, match=rf"expected 'http://localhost:9229/{POOL_ID}'"):
        UserPool.from_issuer(f"http://localhost:9229//{POOL_ID}")


def test_metadata_is_computed() -> None:
    """`metadata` has the form of discovery, without a document."""
    metadata = UserPool(POOL_ID, domain="acme", issuer_type="updated").metadata
    base = "https://acme.auth.eu-west-1.amazoncognito.com"
    assert (metadata.issuer, metadata.jwks_uri) == (UPDATED, f"{UPDATED}/.well-known/jwks.json")
    assert metadata.authorization_endpoint == f"{base}/oauth2/authorize"
    assert metadata.token_endpoint == f"{base}/oauth2/token"
    assert metadata.userinfo_endpoint == f"{base}/oauth2/userInfo"
    assert metadata.revocation_endpoint == f"{base}/oauth2/revoke"
    assert metadata.end_session_endpoint == f"{base}/logout"
    assert metadata.raw == {}


def test_metadata_without_a_domain_has_no_endpoints() -> None:
    """A pool without a domain has an issuer and keys, and nothing that would not work."""
    metadata = UserPool(POOL_ID).metadata
    assert metadata.issuer == ORIGINAL
    assert {
        metadata.authorization_endpoint,
        metadata.token_endpoint,
        metadata.userinfo_endpoint,
        metadata.revocation_endpoint,
        metadata.end_session_endpoint,
    } == {None}


POOLS = [
    pytest.param(UserPool(POOL_ID), "UserPool('eu-west-1_AbC123xyz')", id="bare"),
    pytest.param(
        UserPool(POOL_ID, domain="original", region="eu-west-1", fips=True),
        "UserPool('eu-west-1_AbC123xyz', domain='original', fips=True)",
        id="domain and FIPS",
    ),
    pytest.param(
        UserPool(
            "eusc-de-east-1_S",
            issuer_type="updated",
            dns_suffix="amazonaws.eu",
            endpoint_url="http://c:1/",
            allow_insecure_http=True,
        ),
        "UserPool('eusc-de-east-1_S', issuer_type='updated', endpoint_url='http://c:1', dns_suffix='amazonaws.eu', "
        "allow_insecure_http=True)",
        id="everything",
    ),
]


@pytest.mark.parametrize(("pool", "text"), POOLS)
def test_the_repr_makes_the_pool_again(pool: UserPool, text: str) -> None:
    """A repr is the call that gives an equal pool."""
    assert repr(pool) == text
    assert eval(text, {"UserPool": UserPool}) == pool  # noqa: S307 - the text of the line above


@pytest.mark.parametrize(("pool", "text"), POOLS)
@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda pool: pickle.loads(pickle.dumps(pool))])  # noqa: S301 - our own bytes
def test_a_pool_can_be_pickled_and_copied(pool: UserPool, text: str, copier: object) -> None:
    """A copy is equal, has the same hash and the same addresses."""
    twin = copier(pool)  # type: ignore[operator]
    assert (twin, hash(twin), twin.accepted_issuers) == (pool, hash(pool), pool.accepted_issuers)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(UserPool("eu-west-1_Other"), id="another id"),
        pytest.param(UserPool(POOL_ID, domain="acme"), id="another domain"),
        pytest.param(UserPool(POOL_ID, issuer_type="updated"), id="another issuer type"),
        pytest.param(UserPool(POOL_ID, fips=True), id="FIPS"),
        pytest.param(UserPool(POOL_ID, endpoint_url="https://localhost"), id="another base"),
        pytest.param(POOL_ID, id="a text"),
    ],
)
def test_pools_that_differ_are_not_equal(other: object) -> None:
    """Every argument that changes an address tells pools apart."""
    assert UserPool(POOL_ID) != other


def test_a_pool_is_frozen() -> None:
    """Nobody points a pool that was made to another issuer."""
    with pytest.raises(AttributeError, match="UserPool is frozen"):
        UserPool(POOL_ID).pool_id = "eu-west-1_Other"


@given(
    anything() | st.from_regex(r"\A[a-z]{2}-[a-z]+-[0-9]_[0-9A-Za-z]+\Z"),
    st.dictionaries(
        st.sampled_from(
            ["region", "domain", "issuer_type", "fips", "endpoint_url", "dns_suffix", "allow_insecure_http"]
        ),
        anything(),
        max_size=3,
    ),
)
def test_any_arguments_give_a_pool_or_our_error(pool_id: object, arguments: dict[str, object]) -> None:
    """The constructor raises nothing but ConfigurationError, in a line that can be printed."""
    result = outcome(lambda: UserPool(pool_id, **arguments))  # type: ignore[arg-type]
    assert isinstance(result, UserPool | ConfigurationError)
    assert str(result).isprintable()


@given(anything() | st.from_regex(r"\Ahttps?://[a-z0-9.:\[\]/-]*[a-z0-9-]+_[0-9A-Za-z]*\Z"), anything())
def test_any_issuer_gives_a_pool_or_our_error(issuer: object, domain: object) -> None:
    """`from_issuer` raises nothing but ConfigurationError, and what it makes has that very issuer."""
    result = outcome(lambda: UserPool.from_issuer(issuer, domain=domain, allow_insecure_http=True).issuer)  # type: ignore[arg-type]
    assert isinstance(result, ConfigurationError) or result == issuer
