"""What people write in books, mails and posts is said as a person would say it: by kinds."""

from __future__ import annotations

import time

import pytest

from nodes.models.speech.english.text_normalization import TextNormalizer
from nodes.models.speech.sentences import split_sentences

NORMALIZE = TextNormalizer(british=False)

KINDS = {
    "amounts": [
        ("3.5M users and 10K fans", "three point five million users and ten thousand fans"),
        ("2M views", "two million views"),
        ("7bn people", "seven billion people"),
        ("a 7B model", "a seven billion model"),
        ("a 4K video", "a four K video"),
        ("room 3B", "room three B"),
        ("1.2m wide", "one point two meters wide"),
        ("1 000 000 people", "one million people"),
        ("1'000'000 and 1_000_000", "one million and one million"),
        ("10\u202f000 steps", "ten thousand steps"),
        ("1,5 m", "one point five meters"),
        ("$1.5M and €2bn", "one point five million dollars and two billion euros"),
    ],
    "ranges": [
        ("40–60°C", "forty to sixty degrees Celsius"),
        ("40-60°C", "forty to sixty degrees Celsius"),
        ("5–10 km", "five to ten kilometers"),
        ("20%-30%", "twenty percent to thirty percent"),
        ("$5-10", "five to ten dollars"),
        ("$5-$10", "five to ten dollars"),
        ("10-15 minutes", "ten to fifteen minutes"),
        ("10 - 3", "ten minus three"),
        ("won 3-2", "won three to two"),
        ("9am-5pm", "nine A M to five P M"),
        ("9:00-17:00", "nine o'clock to seventeen hundred"),
        ("$10K-$20K", "ten thousand dollars to twenty thousand dollars"),
        ("£3.50-£4", "three pounds and fifty pence to four pounds"),
        ("a 10-year-old", "a ten-year-old"),
    ],
    "years": [
        (
            "from about 1493 to 1479 BC",
            "from about fourteen ninety-three to fourteen seventy-nine BC",
        ),
        ("Mozart (1756–1791)", "Mozart (seventeen fifty-six to seventeen ninety-one)"),
        ("1812 Overture", "eighteen twelve Overture"),
        ("born 1879", "born eighteen seventy-nine"),
        ("November 1605", "November sixteen oh five"),
        ("2020-21", "twenty twenty to twenty-one"),
        ("1234 items", "one thousand two hundred thirty-four items"),
        ("FY2024", "FY twenty twenty-four"),
        ("MMXXIV", "twenty twenty-four"),
    ],
    "decades": [
        ("a 90s kid", "a nineties kid"),
        ("the 20s", "the twenties"),
        ("in the 70s", "in the seventies"),
        ("wait 30s", "wait thirty seconds"),
        ("for 60s", "for sixty seconds"),
        ("the 2000s", "the two thousands"),
    ],
    "dates and times": [
        ("12-25-2024", "December twenty-fifth, twenty twenty-four"),
        ("25.12.2024", "December twenty-fifth, twenty twenty-four"),
        ("2024/12/25", "December twenty-fifth, twenty twenty-four"),
        ("1/2/24", "January second, twenty twenty-four"),
        ("00:00", "midnight"),
        ("00:30", "oh oh thirty"),
    ],
    "numbers that are dialled": [
        ("555-1234", "five five five, one two three four"),
        (
            "(555) 123-4567",
            "five five five, one two three, four five six seven",
        ),
        ("call 911 now", "call nine one one now"),
        ("911 people", "nine hundred eleven people"),
        ("90210", "nine zero two one zero"),
        ("Beverly Hills, CA 90210", "Beverly Hills, CA nine zero two one zero"),
    ],
    "fractions and ratios": [
        ("50/50", "fifty fifty"),
        ("9/11", "nine eleven"),
        ("20/20 vision", "twenty twenty vision"),
        ("24/7", "twenty-four seven"),
        ("rated 8/10", "rated eight out of ten"),
        ("3/4", "three quarters"),
        ("3:2 ratio", "three to two ratio"),
        ("Psalm 23:4", "Psalm twenty-three verse four"),
        ("John 3:16", "John three verse sixteen"),
    ],
    "powers": [
        ("5²", "five squared"),
        ("10³", "ten cubed"),
        ("25 m²", "twenty-five square meters"),
        ("3 m^3", "three cubic meters"),
        ("x²", "x squared"),
        ("a^2", "A squared"),
        ("10^6", "ten to the power of six"),
        ("10⁻⁵", "ten to the power of minus five"),
        ("2^n", "two to the power of n"),
        ("1e-5", "one e minus five"),
        ("2x faster", "two times faster"),
        ("a note¹", "a note"),
    ],
    "codes and sizes": [
        ("BA2490", "BA two four nine oh"),
        ("A1234", "A one two three four"),
        ("1080p", "ten eighty P"),
        ("720p", "seven twenty P"),
        ("5'10\"", "five ten"),
        ("6 ft 2 in. tall", "six feet two inches tall"),
        ("2 in. wide", "two inches wide"),
        ("Fig. 3a", "figure three A"),
    ],
    "addresses": [
        ("192.168.0.1", "one hundred ninety-two dot one hundred sixty-eight dot zero dot one"),
        ("v2.1.3", "version two point one point three"),
        ("v2.1", "version two point one"),
        (".NET", "dot NET"),
        ("Node.js is fast", "Node dot js is fast"),
        (
            "https://example.com/foo?bar=1",
            "example dot com slash foo question mark bar equals one",
        ),
        ("/usr/local/bin", "slash usr slash local slash bin"),
        ("~/.bashrc", "tilde slash dot bashrc"),
        ("C:\\Users\\me", "C colon backslash Users backslash me"),
        ("see src/main.py.", "see src slash main dot py."),
        ("he/she/they", "he she they"),
    ],
    "abbreviations": [
        ("cf. p. 3", "compare page three"),
        ("Temp. was high", "temperature was high"),
        ("Apt. 4", "apartment four"),
        ("Roe v. Wade", "Roe versus Wade"),
        ("a Ph.D. student", "a PhD student"),
        ("on Elm Dr. and", "on Elm drive and"),
        ("on Elm Dr.", "on Elm drive"),
        ("Dr. Lee", "doctor Lee"),
        ("PO Box 7", "P O Box seven"),
        ("C# and F#", "C sharp and F sharp"),
        ("th' dog", "the dog"),
    ],
    "markup": [
        ("wor\u00adld", "world"),
        ("nega-\ntive", "negative"),
        ("[text](https://x.com)", "text"),
        ("see [the docs](/docs/intro/)", "see the docs"),
        ("[a](b.md) ![alt](a.png) [c][1]", "a alt c"),
        ("~~x~~ **bold** _it_ `code`", "x bold it code"),
        ("# Title", "Title"),
        ("- one", "one"),
        ("<b>Hello</b> &amp; &nbsp; bye &#39;", "Hello and bye '"),
        ("a<br>b", "a b"),
        ("1 < 2", "one is less than two"),
        ("αβγ rays", "alpha beta gamma rays"),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_said_right(kind: str):
    said = {written: NORMALIZE(written) for written, _ in KINDS[kind]}
    assert said == dict(KINDS[kind])


@pytest.mark.parametrize("part", ["<!--", "*a ", "1-"])
def test_time_grows_with_the_text_and_no_faster(part: str):
    def seconds(text: str) -> float:
        began = time.process_time()
        for sentence in split_sentences(text):
            NORMALIZE(sentence)
        return time.process_time() - began

    assert seconds(part * 20_000) < 60  # a rule that tries every end from every start takes hours


def test_markup_and_hyphens_of_line_ends_are_gone_before_sentences_are_split():
    text = "# A title\n\nThe nega-\ntive <b>answer</b>.\n\n- [link](/a/b/)\n"
    assert split_sentences(text) == ["A title", "The negative answer.", "link"]
