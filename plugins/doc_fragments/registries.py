# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    #: made below, out of the first one
    FURTHER: str
    RULES: str

    # one text for both connections: YAML's anchor carries it from the source to the destination
    DOCUMENTATION = r"""
options:
  source:
    description: The registry (or folder) that images come from.
    type: dict
    suboptions: &endpoint
      type:
        description:
          - V(registry) is any registry that speaks the OCI distribution specification.
          - V(oci_layout) is a folder in the form of an OCI image layout, which may hold any number of repositories.
          - V(docker_engine) is a Docker engine, with the images that C(docker images) shows. It needs the Python library C(docker) on the
            host where the task runs.
          - V(v1) is a registry that speaks Docker's first protocol, such as docker-registry up to 0.9. It can only be a source. Its images
            have no manifests, so these are made; what they become is chosen by C(convert) of the modules that copy and verify. Making one
            takes its layers, unless the ledger of an earlier run has notes about them.
          - V(v1_storage) is the storage of such a registry, which need not run for that. It is a folder on the host where the task runs, or
            on another host (O(source.ssh)), or in a bucket (O(source.s3)).
        type: str
        choices: [registry, oci_layout, docker_engine, v1, v1_storage]
        default: registry
      url:
        description:
          - The registry's address, C(host) or C(host:port). TLS is spoken unless it begins with V(http://).
          - Required for a registry, of V(v1) as well. There it may be the index, which names the registries for each repository.
          - For a Docker engine, C(unix:///path/of/the/socket), C(tcp://host:port), or C(ssh://user@host), which needs the Python library
            C(paramiko) as well; by default C(unix:///var/run/docker.sock). With C(tcp://), TLS is spoken where O(source.ca_path) or
            O(source.client_cert) is given.
        type: str
      index_url:
        description:
          - The address of the index that knows users and repositories of a registry with O(source.type=v1), where that is somewhere else.
            O(source.url) is then the registry that all images are read from.
        type: str
      path:
        description:
          - The folder of an OCI image layout, on the host where the task runs.
          - Of V(v1_storage) it is the folder that has C(images) and C(repositories), which docker-registry calls C(storage_path). With
            O(source.ssh) it is on that host.
          - Required for an OCI image layout, and for V(v1_storage) but for one in a bucket.
        type: path
      image_host:
        description:
          - The registry's host, or C(host:port), in the names of a Docker engine's images.
          - Of a source, only images with this host in their names are seen, and repositories are named without it. C(docker.io) stands for
            names without a host. Without this option all images are seen, under their whole names; where a name has a port, its colon
            becomes an underscore, as in C(localhost_5000/app).
          - At a destination, images get this host in front of their names. Without this option they get bare names.
        type: str
      timeout:
        description:
          - Seconds for which a Docker engine may be silent. It is while it writes out an image that it exports, or unpacks one.
          - Other stores have O(source.read_timeout).
        type: float
        default: 600
      provider:
        description:
          - The product behind the address, which decides on the names that it accepts and a few of its ways.
          - With V(auto) it is recognised by the host's name, or else by how the registry answers; what is not recognised is taken for
            V(generic). V(generic) keeps to the distribution specification.
        type: str
        default: auto
        choices: [auto, acr, artifactory, distribution, docker_hub, ecr, ecr_public, gar, gcr, generic, ghcr, gitea, gitlab, harbor, msr,
          nexus, openshift, quay, swr, zot]
      username:
        description: The user's name. Without it, O(source.search_auth_files) applies.
        type: str
      password:
        description: The user's password or access token.
        type: str
      identity_token:
        description: An OAuth2 refresh token, as C(docker login) stores it for some registries.
        type: str
      registry_token:
        description: A bearer token that is sent as it is.
        type: str
      api_url:
        description:
          - The address of the product's own API, where that is not the one that follows from the registry's address; for example
            C(https://artifactory.example.com/artifactory), or the address of GitLab.
        type: str
      api_token:
        description:
          - A token for the product's own API, where that takes another one than the registry; for example an OAuth2 application token
            of Quay, or a personal access token of GitLab.
          - For Azure Container Registry, an access token of Microsoft Entra ID, which is exchanged for one of the registry.
          - For Google Artifact Registry, an OAuth2 access token, which does for the registry as well where no other credential is given.
          - Of Artifactory an identity token or access token, which is shown to the registry as well where there is no other credential; of
            Nexus a user token, as C(NAME:PASS).
        type: str
      namespaces:
        description:
          - The namespaces (organizations, owners, groups, projects) of which the repositories are listed, for products that list nothing
            else, such as Docker Hub, GitHub, Quay and Gitea.
          - With Artifactory and Nexus, the keys of which the images are listed, by default those of all local (hosted) repositories. A
            single one may be that to which the registry's address belongs, a sub-domain or a port; give it where it does not exist yet.
        type: list
        elements: str
        default: []
      aws:
        description:
          - How to sign in to AWS, for Amazon ECR. What is not given is found as by all of Amazon's tools, in the environment, in their
            files, and from the machine's role.
          - Needs boto3 on the host where the task runs. Not needed where O(source.username) and O(source.password) are given; then
            nothing is listed or created through the API of AWS.
        type: dict
        suboptions:
          profile:
            description: The profile in the files of the AWS tools.
            type: str
          region:
            description: The region. By default that in the registry's host name.
            type: str
          access_key:
            description: The id of an access key.
            type: str
          secret_key:
            description: Its secret.
            type: str
          session_token:
            description: The session's token, for temporary credentials.
            type: str
          role_arn:
            description: A role to assume.
            type: str
          role_session_name:
            description: The name of the session as that role.
            type: str
            default: registryops-migration
          external_id:
            description: The external id that the role may ask for.
            type: str
          endpoint_url:
            description: Another address of the ECR API, for example that of a VPC endpoint; with O(source.s3), of S3.
            type: str
          validate_certs:
            description: Check the certificates of the API.
            type: bool
            default: true
          ca_bundle:
            description: A PEM file with the CA certificates for the API.
            type: path
      ssh:
        description:
          - The host that has the folder O(source.path) of V(v1_storage). It is read with SFTP, for which the host where the task runs needs
            the Python library paramiko, 3.3 or later.
          - Without O(source.ssh.password) and O(source.ssh.key_file), the keys of the agent and those in C(~/.ssh) are tried.
        type: dict
        suboptions:
          host:
            description: Its name or address.
            type: str
            required: true
          port:
            description: The port of its SSH server.
            type: int
            default: 22
          username:
            description: The user there; by default the one that the task runs as.
            type: str
          password:
            description: The user's password, or the passphrase of O(source.ssh.key_file).
            type: str
          key_file:
            description: A file with a private key, on the host where the task runs.
            type: path
          known_hosts:
            description:
              - A file with the keys of hosts in the form of OpenSSH. By default C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts).
              - A host that is in none of them is not spoken to.
            type: path
          fingerprint:
            description: The fingerprint of the host's key, C(SHA256:...) as C(ssh-keygen -l) shows it, instead of a file with keys.
            type: str
      s3:
        description:
          - The bucket that has V(v1_storage). It is read with O(source.aws), whose O(source.aws.endpoint_url) may be any store that speaks
            S3. The host where the task runs needs the Python library boto3.
        type: dict
        suboptions:
          bucket:
            description: Its name.
            type: str
            required: true
          prefix:
            description: What stands before C(images) and C(repositories) in the names of objects.
            type: str
            default: ""
      swr:
        description: The keys of Huawei Cloud or Open Telekom Cloud, from which the user and the password for SWR are derived.
        type: dict
        suboptions:
          project:
            description: The regional project, such as V(eu-de) or V(eu-de_team).
            type: str
            required: true
          access_key:
            description: The access key (AK).
            type: str
            required: true
          secret_key:
            description: The secret key (SK).
            type: str
            required: true
      auth_file:
        description: A file in the form of docker's C(config.json) or podman's C(auth.json) that is searched first.
        type: path
      search_auth_files:
        description:
          - Where no credential is given, search the files that podman and docker write, in podman's order, with their credential helpers.
          - The file C(.netrc) is never read.
        type: bool
        default: true
      plain_http:
        description: Speak plain http. Passwords and images can then be read and changed on the way.
        type: bool
        default: false
      validate_certs:
        description: Check the server's certificate.
        type: bool
        default: true
      ca_path:
        description: A PEM file with CA certificates that are trusted beside those of the system.
        type: path
      client_cert:
        description: A PEM file with the client's certificate.
        type: path
      client_key:
        description: A PEM file with the key of O(source.client_cert), without a passphrase.
        type: path
      certs_dirs:
        description:
          - Folders in which a folder named like the registry's C(host:port) may hold C(*.crt), C(*.cert) and C(*.key) files, as docker and
            podman have them. The first that exists is used.
        type: list
        elements: path
        default: ["~/.config/containers/certs.d", /etc/containers/certs.d, /etc/docker/certs.d]
      proxy:
        description:
          - The address of a proxy, for the registry and its API; otherwise the variables E(https_proxy), E(http_proxy) and E(all_proxy)
            hold.
        type: str
      no_proxy:
        description: Hosts that are reached without the proxy, separated by commas; otherwise the variable E(no_proxy) holds.
        type: str
      connect_to:
        description:
          - Connect to this C(host) or C(host:port) instead, while certificates, tokens and C(Host) headers are those of O(source.url).
          - Useful before a DNS name is moved to the new registry.
        type: str
      connect_timeout:
        description: Seconds to wait for a connection.
        type: float
        default: 10
      read_timeout:
        description: Seconds to wait while a connection is silent.
        type: float
        default: 60
      attempts:
        description: How often a request is sent at the most when it is answered with a passing error, or not at all.
        type: int
        default: 5
      concurrency:
        description:
          - Requests at the same time, at the most. There are fewer while the registry says that it has too much to do.
          - V(0) is 16, and up to 64 where the registry is far away, so that even its quickest answers take long.
        type: int
        default: 0
      requests_per_second:
        description: Requests a second at the most, over the whole run; V(0) is no limit.
        type: float
        default: 0
      chunk_size:
        description:
          - Send blobs in pieces of this many bytes. V(0) sends each blob in one request, which is faster, and changes to pieces by itself
            where a request is refused as too large.
        type: int
        default: 0
      on_quota:
        description:
          - What is done where the registry counts the manifests that are read, as Docker Hub does, and there may be no more of them
            for now.
          - V(wait) goes on when there are pulls again, however long that takes. V(stop) asks for no manifest any more, ends what can be
            ended, and fails; the next run goes on there.
        type: str
        choices: [wait, stop]
        default: wait
  destination:
    description: The registry (or folder) that images go to.
    type: dict
    suboptions: *endpoint
requirements:
  - python >= 3.9 on the host where the task runs; nothing else
  - For a Docker engine, the Python library docker, and paramiko where it is reached by SSH.
notes:
  - The environment variables E(REQUESTS_CA_BUNDLE), E(CURL_CA_BUNDLE), E(SSL_CERT_FILE) and E(SSL_CERT_DIR) are not looked at. Authorities
    that the system does not know are named by C(ca_path).
"""

    SELECTION = r"""
options:
  rules:
    description:
      - What goes where. A repository that several rules select goes wherever each of them sends it.
      - Without this option everything goes, under its own name.
    type: list
    elements: dict
    default: [{}]
    suboptions:
      repositories:
        description: Which repositories.
        type: dict
        suboptions: &patterns
          include:
            description:
              - Names, globs (C(*) within a component, C(**) across components, C(?), C([a-z]), C({a,b})), or regular expressions
                behind C(regex:). Without any, everything.
              - Where only names are given, the registry is not asked for its catalogue.
            type: list
            elements: str
            default: []
          exclude:
            description: Patterns of what is left out, in the same form.
            type: list
            elements: str
            default: []
      tags:
        description: Which tags. All that is given has to agree.
        type: dict
        suboptions:
          include:
            description: Names, globs or regular expressions, as with repositories; also digests.
            type: list
            elements: str
            default: []
          exclude:
            description: Patterns of what is left out, in the same form.
            type: list
            elements: str
            default: []
          semver:
            description: A range of versions, such as V(>=1.2 <2), V(^1.4), V(~2.1) or V(1.x || 3.x). What is no version is left out.
            type: str
          newest:
            description: Of what is left, only so many of the newest.
            type: int
          newest_by:
            description: What makes a tag new, its version or the date in the image's configuration (two requests more for each tag).
            type: str
            choices: [version, date]
            default: version
          since:
            description: Only images made since a date (V(2026-01-31)), a moment, or within an age such as V(90d), V(12h) or V(4w).
            type: str
      mapping:
        description: How repositories are named at the destination. The steps are taken in the order in which they stand here.
        type: dict
        suboptions:
          strip_prefix:
            description: Components that are dropped where a name begins with them.
            type: str
          library:
            description:
              - What becomes of Docker Hub's namespace of official images; V(strip) drops C(library/) in front.
              - V(add) puts it in front of names with one component, as the last step but O(rules[].mapping.join_deep).
            type: str
            choices: [keep, strip, add]
          regex:
            description: Replacements. A pattern has to match the whole name; each works on the result of the one before.
            type: list
            elements: dict
            suboptions:
              pattern:
                description: A regular expression.
                type: str
                required: true
              replacement:
                description: What the name becomes; groups are written C(\1) or C(\g<name>).
                type: str
                required: true
          flatten:
            description: How many leading components are dropped; V(-1) drops all but the last one. It counts as Harbor's replication does.
            type: int
          prefix:
            description: Components that are put in front.
            type: str
          join_deep:
            description:
              - A separator, such as V(-), by which surplus components are joined where the destination takes fewer of them. Without it,
                such a name is an error.
            type: str
          max_components:
            description: How many components the destination takes, where that is not known of the product.
            type: int
  only_repositories:
    description:
      - Of what the rules select, only these repositories of the source. With it several hosts share one migration, see the filter
        P(registryops.migration.shard#filter).
    type: list
    elements: str
  workers:
    description: Threads. V(0) is as many as there may be requests at once.
    type: int
    default: 0
  limits_shared_by:
    description:
      - How many workers have all limits together, those of this task and those of the registries, in requests and in bytes. Each takes
        its part of them, so that they hold for the whole run.
    type: int
    default: 1
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    INFO = r"""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details:
      - This action does not modify the state of a registry.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details:
      - This action does not modify the state of a registry.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
    details:
      - This action does not modify the state of a registry.
"""

    DIFF = r"""
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
"""

    NO_DIFF = r"""
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
"""

    ACTIONGROUP = r"""
attributes:
  action_group:
    description: Use C(group/registryops.migration.registry) in C(module_defaults) to set the connections for this module.
    support: full
    membership: [registryops.migration.registry]
"""


def _further(connections: str) -> str:
    """What each of several further destinations takes: the same as the other two connections, whose text is `connections`."""
    _before, _anchor, rest = connections.partition("    suboptions: &endpoint\n")
    suboptions, _rest, _after = rest.partition("  destination:\n")
    return f"""
options:
  further_destinations:
    description:
      - More registries (or folders) that the same images go to, in the same run. What is read from the source is read once.
      - Each of them has its own plan and ledger. What goes wrong at one of them does not keep the others from going on.
      - This option belongs to the task, or to C(module_defaults) of this module; the other modules of the action group do not know it.
    type: list
    elements: dict
    suboptions:
{suboptions}"""


# a YAML document of its own, which an anchor in another one does not reach
ModuleDocFragment.FURTHER = _further(ModuleDocFragment.DOCUMENTATION)

# what is selected, and how it is copied and compared
ModuleDocFragment.RULES = (
    ModuleDocFragment.SELECTION
    + r"""
  platforms:
    description:
      - Of images for several platforms, these, such as V(linux/amd64) or V(linux/arm/v7). O(platform_index) says what becomes of the index.
      - Images for one platform only are always taken.
    type: list
    elements: str
    default: []
  platform_index:
    description:
      - V(whole) keeps indexes complete, so O(platforms) has no effect on them.
      - V(subset) writes a new index with the chosen platforms; its digest differs from the source's, and signatures of the index no
        longer hold.
      - V(sparse) keeps the index to the letter but leaves the other platforms out; not every registry accepts that.
    type: str
    choices: [whole, subset, sparse]
    default: whole
  referrers:
    description: Signatures, attestations, SBOMs and whatever else refers to an image go with it, also where tags are selected.
    type: bool
    default: true
  foreign_layers:
    description:
      - Layers that are distributed from somewhere else (old Windows base layers). V(skip) leaves their bytes where they are.
      - V(copy) copies them where the source has them.
    type: str
    choices: [skip, copy]
    default: skip
  convert:
    description:
      - Which images are converted on the way, and to what. Nothing is by default but images of v1 registries, which have no manifests.
      - A converted image has another digest than its source, so signatures no longer fit it. The report has both digests.
      - The same image becomes the same bytes in each run. Copying and verifying need the same value.
    type: dict
    default: {}
    suboptions:
      v1:
        description: What becomes of an image of a v1 registry. V(docker) is schema 2, which all registries take.
        type: str
        choices: [docker, oci]
        default: docker
      schema1:
        description:
          - What becomes of an image of schema 1, which many registries refuse by now. Its own signature is dropped.
          - Each of its layers is read once more, to find out what a newer manifest says of it; the ledger remembers that.
        type: str
        choices: [none, docker, oci]
        default: none
      oci:
        description:
          - V(docker) makes schema 2 out of OCI images, and manifest lists out of indexes, for destinations that refuse those. Their
            annotations are dropped, and so are the attestations that an index holds beside its images.
          - Signatures and whatever else refers to images are artifacts, for which docker has no form. They do not follow, as with
            O(referrers=false). Where a tag of an artifact is selected, that tag fails.
          - An image with layers compressed with zstd fails, too.
        type: str
        choices: [none, docker]
        default: none
  state_dir:
    description:
      - The folder of the ledger, on the host where the task runs. Losing it costs time, nothing else.
      - By default a folder for this pair of registries under E(XDG_STATE_HOME), or C(~/.local/state).
    type: path
"""
)
