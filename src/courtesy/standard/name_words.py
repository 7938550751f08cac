"""Words that are part of how people are addressed, and of no name, or that belong to the word after them."""

from __future__ import annotations

# Before the name. Without full stops, in the form of `text.comparable`.
TITLES = frozenset(
    (
        "mr mrs ms miss mx mister master madam sir dame lady lord dr doctor prof professor hon honorable honourable rev"
        " reverend father fr sister bishop rabbi imam capt captain col colonel gen general lt lieutenant maj major sgt"
        " sergeant cpl adm admiral sen senator rep representative congressman congresswoman gov governor president"
        " amb ambassador judge justice"
        " herr frau fraulein hr fr med jur phil rer nat ing dipl dipl-ing mag univ-prof priv-doz"
        " m mme mlle monsieur madame mademoiselle me"
        " sr sra srta senor senora senorita dna dona don"
        " sig signor signora dott dottssa dottore avv"
        " dhr mevr mevrouw meneer drs ir mw"
        " pan pani pani bc mgr mudr judr phdr rndr"
        " shri sri smt kumari श्री श्रीमती"
        " г-н г-жа господин госпожа"
        " السيد السيدة الدكتور د دكتور الأستاذ"
        " ბატონი ქალბატონი"
        " sheikh sheikha haji hajji datuk dato"
    ).split()
)

# Titles that are common given names as well: only with a full stop behind, or before two more words.
TITLES_OR_NAMES = frozenset(
    (
        "don phil shri sheikh sheikha general major judge justice master bishop m me sr fr gen col sen rep med nat mag"
        " ir"
    ).split()
)

# Written onto the name, without a blank.
TITLES_THAI = ("นางสาว", "น.ส.", "นาย", "นาง", "คุณ", "ดร.", "เด็กชาย", "เด็กหญิง", "ด.ช.", "ด.ญ.")
HONORIFICS = ("さん", "様", "さま", "先生", "氏", "殿", "님", "씨", "女士", "小姐", "太太")

# Behind the name.
SUFFIXES = frozenset(
    (
        "jr sr junior ii iii iv vi vii viii 2nd 3rd 4th esq esquire phd ph d md m d dds dvm jd llm mba msc bsc ma ba"
        " cpa rn pe obe cbe mbe kbe qc kc ret usn usmc filho neto"
    ).split()
)
SUFFIX_FORMS = {"jr": "Jr.", "junior": "Jr.", "sr": "Sr.", "2nd": "II", "3rd": "III", "4th": "IV", "esquire": "Esq."}

# Belong to the word after them, within a family name.
PARTICLES = frozenset(
    (
        "van von der den de del della dello delle dei degli di da dal dos das do du la las le les lo los el al bin ibn"
        " ben bint binti abu ter ten te zu zum zur vom af av st san santa sao mac mc o ó ní ni nic uí ui ap ab 't op"
        " in het aan auf dem am vander vande ver dela delos"
        " بن ابن بنت آل ال أبو ابو"
        " בן בת אבן בר"
        " де ди ван фон дер дон бен аль"
    ).split()
)
# Also names of their own: particles only in small letters.
PARTICLES_IF_SMALL = frozenset("al ben do in am ver lo op ab ap te ni da das".split())
# Join two family names.
CONJUNCTIONS = frozenset({"y", "e", "i"})
# Belong to the word after them, within a given name.
GIVEN_PREFIXES = frozenset("abd abdul abdel abdal عبد".split())

# Where two family names are usual, the father's before the mother's.
TWO_FAMILY_NAMES = frozenset("ES MX CO PE CL VE EC GT CU BO DO HN PY SV NI CR PA UY PR".split())
# Second given names that are so common there that three words are two given names and one family name.
SECOND_GIVEN = frozenset(
    (
        "jose maria carlos luis antonio teresa fernanda angel manuel alberto isabel carmen jesus miguel javier pablo"
        " andres eduardo alejandro alejandra cristina elena pilar dolores rosa ana victoria guadalupe hugo enrique"
        " fernando francisco ignacio daniel david rafael ramon ricardo beatriz luisa paula sofia valentina camila del"
    ).split()
)

# Where the family name comes first, in any script.
FAMILY_FIRST = frozenset("CN TW HK MO KR KP VN HU KH".split())

# Ends of family names, where word order is free in practice. Longer words only: Лев is a given name.
FAMILY_ENDINGS = (
    *("ов", "ев", "ёв", "ова", "ева", "ёва", "ский", "ская", "цкий", "цкая", "енко", "чук"),
    *("შვილი", "ძე", "იანი", "ავა", "უა", "ური", "ული"),
    *("յան", "յանց", "եան"),
)
PATRONYMIC_ENDINGS = ("ович", "евич", "ич", "овна", "евна", "ична", "інічна", "ович", "івна", "ївна", "йович")

ORGANISATIONS = frozenset(
    (
        "gmbh ag kg ohg ug ltd limited inc incorporated llc llp plc corp corporation company s.a. sa sarl sas bv nv"
        " srl spa oy oyj ab as aps kft zrt sro s.r.o. sp.z.o.o. pty ооо оао зао ао"
    ).split()
)
