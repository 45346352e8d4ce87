// A certified OpenID Connect provider for the tests of signing in: node provider.mjs PORT REDIRECT_URI
// Its own development pages ask for a name (any password) and for consent. PKCE is required of every client.
import Provider from "oidc-provider";

const [port, redirectUri] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

// Who a name is: the groups are the part behind a plus, as in "ada+editors".
const findAccount = async (_, id) => ({
  accountId: id,
  claims: async () => ({
    sub: id,
    preferred_username: id.split("+")[0],
    groups: id.split("+").slice(1),
    email: `${id.split("+")[0]}@example.org`,
    email_verified: true,
  }),
});

const provider = new Provider(issuer, {
  clients: [
    { client_id: "gateway", client_secret: "a secret: of the +client", redirect_uris: [redirectUri] },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email", "email_verified"] },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  findAccount,
});

provider.listen(Number(port), "127.0.0.1", () => console.log(`ready at ${issuer}`));
