"""Mail that came back, in the forms of widely used servers: `RETURNED`, by name."""

from __future__ import annotations

ORIGINAL = """Return-Path: <{token_address}>
From: Shoes & More <hello@shop.example>
To: Ann <ann@home.example>
Subject: Your shoes are waiting
Message-ID: <20251122.1@shop.example>
Date: Sat, 22 Nov 2025 03:04:05 +0000
"""

POSTFIX = """From: MAILER-DAEMON@mx.shop.example (Mail Delivery System)
To: {token_address}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.shop.example.

<ann@home.example>: host mx.home.example[192.0.2.1] said: 550 5.1.1
    <ann@home.example>: Recipient address rejected: User unknown

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.example
X-Postfix-Queue-ID: 4F1
Arrival-Date: Sat, 22 Nov 2025 03:04:05 +0000

Final-Recipient: rfc822; ann@home.example
Original-Recipient: rfc822;ann@home.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.home.example
Diagnostic-Code: smtp; 550 5.1.1 <ann@home.example>: Recipient address rejected:
    User unknown

--B1
Content-Type: text/rfc822-headers

{original}
--B1--
"""

DELAYED = """From: MAILER-DAEMON@mx.shop.example
To: {token_address}
Subject: Delayed Mail (still being retried)
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/plain

THIS IS A WARNING ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.example

Final-Recipient: rfc822; ann@home.example
Action: delayed
Status: 4.4.1
Diagnostic-Code: X-Postfix; connect to mx.home.example[192.0.2.1]:25: Connection timed out
Will-Retry-Until: Thu, 27 Nov 2025 03:04:05 +0000

--B1--
"""

EXCHANGE = """From: Microsoft Outlook <postmaster@home.example>
To: {token_address}
Subject: Undeliverable: Your shoes are waiting
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/html; charset="utf-8"

<html><body><p>Your message to ann@home.example couldn't be delivered.</p></body></html>
--B1
Content-Type: message/delivery-status

Reporting-MTA: dns;EX01.home.example
Received-From-MTA: dns;mx.shop.example

Original-Recipient: rfc822;ann@home.example
Final-Recipient: rfc822;ANN@home.example
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp;554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException
X-Display-Name: Ann

--B1
Content-Type: message/rfc822

{original}
--B1--
"""

GMAIL = """From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {token_address}
Subject: Delivery Status Notification (Failure)
Auto-Submitted: auto-replied
X-Failed-Recipients: ann@home.example
Content-Type: multipart/report; boundary="B1"; report-type=delivery-status

--B1
Content-Type: text/plain; charset="UTF-8"

** Message blocked **

Your message to ann@home.example has been blocked. See technical details below.
--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
X-Original-Message-ID: <20251122.1@shop.example>

Final-Recipient: rfc822; ann@home.example
Action: failed
Status: 5.7.1
Diagnostic-Code: smtp; 550-5.7.1 [192.0.2.9] Our system has detected that this message is
 550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,
 550 5.7.1 this message has been blocked. a1-20020a - gsmtp

--B1--
"""

SENDMAIL = """From: Mail Delivery Subsystem <MAILER-DAEMON@mx.home.example>
To: <{token_address}>
Subject: Returned mail: see transcript for details
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1

   ----- The following addresses had permanent fatal errors -----
<ann@nowhere.example>
    (reason: 550 Host unknown)

   ----- Transcript of session follows -----
550 5.1.2 <ann@nowhere.example>... Host unknown (Name server: nowhere.example: host not found)

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.home.example

Final-Recipient: RFC822; ann@nowhere.example
Action: failed
Status: 5.1.2
Remote-MTA: DNS; nowhere.example

--B1--
"""

EXIM = """From: Mail Delivery System <Mailer-Daemon@mx.shop.example>
To: {token_address}
X-Failed-Recipients: ann@home.example
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@home.example
    host mx.home.example [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<ann@home.example>:
    550 5.2.1 The mailbox of this user is disabled

------ This is a copy of the message, including all the headers. ------

{original}
Please write to somebody-else@shop.example that your mailbox is full.
"""

QMAIL = """From: MAILER-DAEMON@mx.home.example
To: {token_address}
Subject: failure notice

Hi. This is the qmail-send program at mx.home.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@home.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

{original}
"""

YAHOO = """From: MAILER-DAEMON@yahoo.example
To: {token_address}
Subject: Failure Notice
Content-Type: text/plain

Sorry, we were unable to deliver your message to the following address.

<ann@yahoo.example>:
554: delivery error: dd This user doesn't have a yahoo.example account (ann@yahoo.example) [-5]

--- Below this line is a copy of the message.

{original}
"""

GERMAN = """From: postmaster@home.example
To: {token_address}
Subject: Unzustellbar: Ihre Schuhe
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Ihre Nachricht konnte nicht zugestellt werden:

ann@home.example
Das Postfach des Empf=E4ngers ist voll.
"""

COMPLAINT = """From: <feedback@isp.example>
To: {token_address}
Subject: FW: Your shoes are waiting
Content-Type: multipart/report; report-type=feedback-report; boundary="B1"

--B1
Content-Type: text/plain

This is an email abuse report.

--B1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{token_address}>
Original-Rcpt-To: <ann@home.example>
Source-IP: 192.0.2.9

--B1
Content-Type: message/rfc822

{original}
Hello
--B1--
"""

COMPLAINT_WITHOUT_RECIPIENT = """From: complaints@isp.example
To: fbl@shop.example
Subject: complaint about message from 192.0.2.9
Content-Type: multipart/report; report-type=feedback-report; boundary="B1"

--B1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Feedback/0.1
Version: 0.1

--B1
Content-Type: message/rfc822

Return-Path: <{token_address}>
From: Shoes & More <hello@shop.example>
To: redacted
Subject: Your shoes are waiting
Message-ID: <20251122.1@shop.example>

--B1--
"""

VACATION = """From: Ann <ann@home.example>
To: {token_address}
Subject: Out of office Re: Your shoes are waiting
Auto-Submitted: auto-replied

I am away until Monday. In urgent cases write to bob@home.example; mail could not be delivered faster.
"""

OLD_VACATION = """From: Ann <ann@home.example>
To: {token_address}
Subject: Abwesenheitsnotiz
X-Autoreply: yes

Ich bin nicht da.
"""

PERSON = """From: Ann <ann@home.example>
To: people@shop.example
Subject: Re: delivery problem
Message-ID: <1@home.example>

Hello, my parcel could not be delivered. Please call me. Ann
"""

BROKEN = """From: MAILER-DAEMON
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"
Subject: =?nonsense?Q?=FF?= Undelivered Mail

--B1
Content-Type: message/delivery-status; charset=nonsense
Content-Transfer-Encoding: base64

%%%%
--B2
"""


def returned(form: str, token_address: str) -> bytes:
    """A mail in this form about a letter whose return path is this."""
    original = ORIGINAL.format(token_address=token_address)
    return form.format(token_address=token_address, original=original).replace("\n", "\r\n").encode()
