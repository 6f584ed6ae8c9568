/**
 * How clouds want requests signed. Checked, and acted upon nowhere but in SNS.
 * Semantics: prometheus/sigv4 SigV4Config, Prometheus storage/remote/azuread, storage/remote/googleiam (v3.14).
 */
import { boolean, type Cursor, object, type Secret, secret, string } from './decode.ts'

export type Sigv4 = {
  readonly region?: string
  readonly access_key?: string
  readonly secret_key?: Secret
  readonly profile?: string
  readonly role_arn?: string
}

export const sigv4 = object(
  'sigv4.plain',
  {
    region: string,
    access_key: string,
    secret_key: secret,
    profile: string,
    role_arn: string,
    external_id: string,
    use_fips_sts_endpoint: boolean,
  },
  (raw, at): Sigv4 => {
    if (Boolean(raw.access_key) !== Boolean(raw.secret_key?.reveal()))
      at.fail('must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config')
    return raw
  },
)

const CLOUDS = ['AzurePublic', 'AzureChina', 'AzureGovernment']
const UUID = /^(?:urn:uuid:)?\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i
const TENANT = /^[0-9a-zA-Z-.]+$/

const identity = object('azuread.ManagedIdentityConfig', { client_id: string }, (raw) => ({
  clientId: raw.client_id ?? '',
}))
const workload = object(
  'azuread.WorkloadIdentityConfig',
  { client_id: string, tenant_id: string, token_file_path: string },
  (raw) => ({ clientId: raw.client_id ?? '', tenantId: raw.tenant_id ?? '' }),
)
const oauth = object('azuread.OAuthConfig', { client_id: string, client_secret: secret, tenant_id: string }, (raw) => ({
  clientId: raw.client_id ?? '',
  secret: raw.client_secret?.reveal() ?? '',
  tenantId: raw.tenant_id ?? '',
}))
const sdk = object('azuread.SDKConfig', { tenant_id: string }, (raw) => ({ tenantId: raw.tenant_id ?? '' }))

export const azureAd = object(
  'azuread.plain',
  { managed_identity: identity, workload_identity: workload, oauth, sdk, cloud: string, scope: string },
  (raw, at) => {
    if (!CLOUDS.includes(raw.cloud || 'AzurePublic')) at.fail('must provide a cloud in the Azure AD config')
    const methods = [raw.managed_identity, raw.workload_identity, raw.oauth, raw.sdk].filter(Boolean)
    if (methods.length === 0)
      at.fail(
        'must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth or Azure SDK in the Azure AD config',
      )
    if (methods.length > 1) at.fail('cannot provide multiple authentication methods in the Azure AD config')
    if (raw.managed_identity?.clientId) mustBeUuid(raw.managed_identity.clientId, 'Managed Identity', at)
    if (raw.workload_identity) {
      const { clientId, tenantId } = raw.workload_identity
      mustBeGiven({ client_id: clientId, tenant_id: tenantId }, 'Workload Identity', at)
      mustBeUuid(clientId, 'Workload Identity', at)
      mustBeTenant(tenantId, 'Workload Identity', at)
    }
    if (raw.oauth) {
      const { clientId, secret: clientSecret, tenantId } = raw.oauth
      mustBeGiven({ client_id: clientId, client_secret: clientSecret, tenant_id: tenantId }, 'OAuth', at)
      mustBeUuid(clientId, 'OAuth', at)
      mustBeTenant(tenantId, 'OAuth', at)
    }
    if (raw.sdk?.tenantId) mustBeTenant(raw.sdk.tenantId, 'OAuth', at)
    return true
  },
)

function mustBeGiven(values: Readonly<Record<string, string>>, what: string, at: Cursor): void {
  for (const [name, value] of Object.entries(values))
    if (value === '') at.fail(`must provide an Azure ${what} ${name} in the Azure AD config`)
}

function mustBeUuid(clientId: string, what: string, at: Cursor): void {
  if (!UUID.test(clientId)) at.fail(`the provided Azure ${what} client_id is invalid`)
}

function mustBeTenant(tenantId: string, what: string, at: Cursor): void {
  if (!TENANT.test(tenantId)) at.fail(`the provided Azure ${what} tenant_id is invalid`)
}

export const googleIam = object('googleiam.Config', { credentials_file: string }, () => true)
