# The case of the other clients, in Perl: OpenAPI::Client makes a method of each operation of /openapi-3.0.json, and checks
# what is sent against the document before it is sent.
use strict;
use warnings;
use Mojo::JSON 'encode_json';
use OpenAPI::Client;

my ($base_url, $key, $ref) = @ARGV;
my $client = OpenAPI::Client->new("$base_url/openapi-3.0.json", base_url => Mojo::URL->new($base_url));
$client->ua->on(start => sub { $_[1]->req->headers->authorization("Bearer $key") });

sub must {
  my $tx = shift;
  die $tx->res->code . ' ' . $tx->res->body unless $tx->res->is_success;
  return $tx->res->json;
}

sub people {
  return [sort map { my $id = $_->{identity}{externalId}; $id =~ s/^\Q$ref\E-//; $id } @{$_[0]{participants}}];
}

sub provision {
  my $body = {
    externalRef  => $ref,
    participants => [
      {kind => 'agent',    externalId => "$ref-ada", displayName => 'Ada'},
      {kind => 'customer', externalId => "$ref-bob", displayName => 'Bob'},
    ],
    systemMessage => {body => 'Ada will be with you shortly.'},
  };
  return must($client->provisionConversation({'Idempotency-Key' => $ref}, json => $body));
}

my $made        = provision();
my $again       = provision();
my %in          = (conversation => $made->{id});
my $transfer    = {
  from          => "$ref-ada",
  to            => {kind => 'agent', externalId => "$ref-lin", displayName => 'Lin'},
  systemMessage => {body => 'Lin takes over.'},
};
my $transferred = must($client->transferConversation({%in}, json => $transfer));
my $sent        = must($client->sendMessage({%in}, json => {author => "$ref-bob", body => 'Hello Lin'}));
my $listed      = must($client->listMessages({%in}));
my $transcript  = must($client->getTranscript({%in}));
my $closed      = must($client->closeConversation({%in}, json => {systemMessage => {body => 'Good bye.'}}));
my $late        = $client->sendMessage({%in}, json => {author => "$ref-bob", body => 'Wait'});
my ($identity)  = map { $_->{identity}{id} } grep { $_->{kind} eq 'customer' } @{$made->{participants}};
my $receipt     = must($client->eraseIdentity({identity => $identity}, json => {messages => 'delete'}));
my $erased      = must($client->getIdentity({identity => $identity}));

# Without a body that the document wants, nothing is sent: the client itself refuses it.
my $wrong = $client->sendMessage({%in}, json => {body => 'Nobody says this'});

print encode_json({
  provisioned => {state => $made->{state}, people => people($made)},
  replayed    => $made->{id} eq $again->{id} ? \1 : \0,
  transferred => people($transferred),
  sent        => {state => $sent->{state}, author => $sent->{author}{identity}{displayName}},
  listed      => [map { $_->{body} } @{$listed->{data}}],
  transcript  => [
    map { [$_->{author}{identity} ? $_->{author}{identity}{displayName} : $_->{author}{type}, $_->{body}] }
      @{$transcript->{messages}}
  ],
  closed  => $closed->{state},
  refused => $late->res->json->{code},
  receipt => $receipt->{identityId} eq $identity && $receipt->{hash} ? \1 : \0,
  erased  => {status => $erased->{status}, externalId => $erased->{externalId}},
  checked => $wrong->error->{message},
});
