# SPDX-License-Identifier: Apache-2.0
#
# Mail::DKIM for the tests. The message (CRLF) is on standard input.
#
#   maildkim.pl verify RECORDS            one line a signature: DOMAIN SELECTOR ALGORITHM RESULT
#   maildkim.pl sign KEY DOMAIN SELECTOR METHOD    the message with a signature in front
use strict;
use warnings;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;

binmode STDIN;
binmode STDOUT;

# Answers Net::DNS::Resolver's send() from lines "NAME TXT-value".
package Records {
    use Net::DNS;

    sub new {
        my ($class, $path) = @_;
        my %txt;
        open my $file, '<', $path or die "$path: $!\n";
        while (<$file>) {
            chomp;
            my ($name, $value) = split / /, $_, 2;
            $txt{lc $name} = $value;
        }
        return bless { txt => \%txt }, $class;
    }

    sub send {
        my ($self, $name, $type) = @_;
        my $packet = Net::DNS::Packet->new($name, $type, 'IN');
        $packet->header->qr(1);
        my $value = $self->{txt}{lc $name};
        if ($type eq 'TXT' && defined $value) {
            my $rr = Net::DNS::RR->new(owner => $name, type => 'TXT', txtdata => [ $value =~ /(.{1,255})/gs ]);
            $packet->push(answer => $rr);
        } else {
            $packet->header->rcode('NXDOMAIN');
        }
        return $packet;
    }

    sub errorstring { return 'NXDOMAIN' }
}

package main;

sub verify {
    my ($records) = @_;
    Mail::DKIM::DNS::resolver(Records->new($records));
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT(do { local $/; <STDIN> });
    $verifier->CLOSE;
    for my $signature ($verifier->signatures) {
        printf "%s %s %s %s\n", $signature->domain // '-', $signature->selector // '-',
          $signature->algorithm // '-', $signature->result_detail // $signature->result // '-';
    }
}

sub sign {
    my ($key, $domain, $selector, $method) = @_;
    my $message = do { local $/; <STDIN> };
    my $signer = Mail::DKIM::Signer->new(
        Algorithm => 'rsa-sha256', Method => $method, Domain => $domain, Selector => $selector,
        Key => Mail::DKIM::PrivateKey->load(File => $key));
    $signer->PRINT($message);
    $signer->CLOSE;
    (my $field = $signer->signature->as_string) =~ s/\r?\n/\r\n/g;
    print "$field\r\n$message";
}

my ($verb, @arguments) = @ARGV;
$verb eq 'verify' ? verify(@arguments) : sign(@arguments);
