"""Where shoppers live and how they are called: invented people in a dozen scripts and languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A name as its bearer writes it, and in the ASCII letters of an e-mail address."""

    native: str
    ascii: str


@dataclass(frozen=True, slots=True)
class Culture:
    """A country of customers. `utc_offset_h` is the one it has all year here; `family_first` orders the full name."""

    country: str
    locale: str
    timezone: str
    utc_offset_h: int
    currency: str
    cities: tuple[str, ...]
    given: tuple[Name, ...]
    family: tuple[Name, ...]
    family_first: bool = False

    def full_name(self, given: Name, family: Name) -> str:
        """Both names in the order of the country."""
        parts = (family.native, given.native) if self.family_first else (given.native, family.native)
        return " ".join(parts)


def _names(text: str) -> tuple[Name, ...]:
    """`Zoë:zoe Adam` -> names; without a colon the ASCII form is the lower case."""
    pairs = (word.partition(":") for word in text.split())
    return tuple(Name(native, ascii or native.lower()) for native, _, ascii in pairs)


def _culture(
    place: str, offset_h: int, currency: str, cities: str, given: str, family: str, family_first: bool = False
) -> Culture:
    locale, timezone = place.split()
    return Culture(
        country=locale[-2:],
        locale=locale,
        timezone=timezone,
        utc_offset_h=offset_h,
        currency=currency,
        cities=tuple(cities.split(",")),
        given=_names(given),
        family=_names(family),
        family_first=family_first,
    )


CULTURES = (
    _culture(
        "en-GB Europe/London",
        0,
        "GBP",
        "Leeds,Bristol,Swansea,Perth",
        "Imogen Callum Priya Rhys Beatrice Kwame Fergus Aoife:aoife Niamh Dominic",
        "Ashdown Pellow Okonjo Tregarth Siddall Brannigan O'Hara:ohara Llewellyn Marsh Quayle",
    ),
    _culture(
        "en-US America/Chicago",
        -6,
        "USD",
        "Duluth,Tulsa,Peoria,Savannah",
        "Wyatt Marisol Darnell Juniper Caleb Tamsin Xiomara Harlan Delphine Ezra",
        "Whitlock Barragan Stroud Vandermeer Castellano Pruitt Nakai Holloway St.Clair:stclair Boone",
    ),
    _culture(
        "de-DE Europe/Berlin",
        1,
        "EUR",
        "Kassel,Münster,Görlitz,Ulm",
        "Jörg:joerg Käthe:kaethe Anneliese Björn:bjoern Frauke Lennart Zoë:zoe Ruprecht Svenja Till",
        "Großkopf:grosskopf Möllenbeck:moellenbeck Drechsler Überfeld:ueberfeld Hasenkamp Lüttich:luettich "
        "Wendtland Kröger:kroeger Achterberg Zumbusch",
    ),
    _culture(
        "fr-FR Europe/Paris",
        1,
        "EUR",
        "Nîmes,Lorient,Angers,Bourges",
        "Hélène:helene Gaël:gael Apolline Loïc:loic Maëlys:maelys "
        "Théophile:theophile Ondine Baptiste Inès:ines Rémi:remi",
        "Delacroisière:delacroisiere Béranger:beranger Montcalm Lefèbvre:lefebvre Quesnel D’Aubigny:daubigny "
        "Guérin:guerin Sauvageot Tréville:treville Poncelet",
    ),
    _culture(
        "pl-PL Europe/Warsaw",
        1,
        "EUR",
        "Łódź,Toruń,Gdynia,Radom",
        "Małgorzata:malgorzata Łukasz:lukasz Żaneta:zaneta Paweł:pawel "
        "Bożena:bozena Święcisław:swiecislaw Jagoda Mirosław:miroslaw",
        "Wiśniowiecki:wisniowiecki Dąbek:dabek Źrebiec:zrebiec Ćwiklak:cwiklak "
        "Kołodziej:kolodziej Stępień:stepien Gwóźdź:gwozdz Pająk:pajak",
    ),
    _culture(
        "tr-TR Europe/Istanbul",
        3,
        "EUR",
        "İzmir,Eskişehir,Bursa,Van",
        "İlkay:ilkay Gülşen:gulsen Çağlar:caglar Işıl:isil Ömer:omer Şebnem:sebnem Tuğba:tugba Ezgi",
        "Yağmur:yagmur Çınar:cinar Öztürkmen:ozturkmen Işıklı:isikli "
        "Şimşekoğlu:simsekoglu Akkuş:akkus Güneşli:gunesli Demirkan",
    ),
    _culture(
        "pt-BR America/Sao_Paulo",
        -3,
        "USD",
        "Recife,Belém,Curitiba,Goiânia",
        "João:joao Conceição:conceicao Thaís:thais Otávio:otavio Iracema Davi Luíza:luiza Caetano",
        "Assunção:assuncao Guimarães:guimaraes Falcão:falcao Brandão:brandao "
        "Queirós:queiros Tavares Simões:simoes Peixoto",
    ),
    _culture(
        "uk-UA Europe/Kyiv",
        2,
        "EUR",
        "Львів,Полтава,Чернігів,Луцьк",
        "Оксана:oksana Тарас:taras Соломія:solomiia Ярослав:yaroslav "
        "Дзвінка:dzvinka Остап:ostap Уляна:uliana Любомир:liubomyr",
        "Бондаренко:bondarenko Кравчук:kravchuk Шевчишин:shevchyshyn Гнатюк:hnatiuk Лисенко:lysenko "
        "Ющишин:yushchyshyn Криворучко:kryvoruchko Зозуля:zozulia",
    ),
    _culture(
        "el-GR Europe/Athens",
        2,
        "EUR",
        "Βόλος,Πάτρα,Χανιά,Λάρισα",
        "Ελένη:eleni Γιώργος:giorgos Αθηνά:athina Θανάσης:thanasis "
        "Ξένια:xenia Στέλιος:stelios Δήμητρα:dimitra Λευτέρης:lefteris",
        "Παπαγιάννης:papagiannis Καραμάνος:karamanos Θεοτοκά:theotoka Μαυρίδης:mavridis Ξενάκης:xenakis "
        "Λαμπράκη:lambraki Σταθόπουλος:stathopoulos Βλάχου:vlachou",
    ),
    _culture(
        "ar-EG Africa/Cairo",
        2,
        "USD",
        "طنطا,أسوان,المنصورة,دمياط",
        "ليلى:layla يوسف:youssef نورهان:nourhan كريم:karim هالة:hala زياد:ziad سلمى:salma طارق:tarek",
        "المنشاوي:elmenshawy الشرقاوي:elsharkawy حمدان:hamdan البحيري:elbeheiry "
        "رمزي:ramzy الدسوقي:eldesouky فؤاد:fouad شكري:shoukry",
    ),
    _culture(
        "he-IL Asia/Jerusalem",
        2,
        "USD",
        "חיפה,אילת,נתניה,עכו",
        "נועה:noa איתי:itay תמר:tamar אורי:uri שירה:shira גיל:gil הדס:hadas עומר:omer",
        "אלמוג:almog ברקת:bareket שקד:shaked הררי:harari צוקרמן:zuckerman נחליאלי:nachlieli גבעוני:givoni פרץ:peretz",
    ),
    _culture(
        "hi-IN Asia/Kolkata",
        5,
        "USD",
        "भोपाल,इंदौर,पटना,मैसूर",
        "अनन्या:ananya रोहन:rohan कविता:kavita देवेश:devesh मीरा:meera अर्जुन:arjun सुनयना:sunayana हर्ष:harsh",
        "त्रिवेदी:trivedi चतुर्वेदी:chaturvedi नाइक:naik देशपांडे:deshpande "
        "बंसल:bansal मल्होत्रा:malhotra जोशी:joshi राठौर:rathore",
    ),
    _culture(
        "ja-JP Asia/Tokyo",
        9,
        "JPY",
        "金沢,松山,函館,長崎",
        "陽菜:hina 蓮:ren 美咲:misaki 大輝:daiki さくら:sakura 悠人:yuto 千尋:chihiro 拓海:takumi",
        "白鳥:shiratori 小野寺:onodera 桐島:kirishima 五十嵐:igarashi "
        "水無月:minazuki 東雲:shinonome 早乙女:saotome 榊原:sakakibara",
        family_first=True,
    ),
    _culture(
        "zh-TW Asia/Taipei",
        8,
        "USD",
        "臺南,花蓮,新竹,嘉義",
        "雅婷:yating 志豪:zhihao 怡君:yijun 冠宇:guanyu 詩涵:shihan 俊傑:junjie 淑芬:shufen 柏翰:bohan",
        "歐陽:ouyang 諸葛:zhuge 司徒:situ 上官:shangguan 林:lin 葉:ye 蔡:tsai 鄭:cheng",
        family_first=True,
    ),
    _culture(
        "ko-KR Asia/Seoul",
        9,
        "USD",
        "전주,강릉,여수,춘천",
        "서연:seoyeon 민준:minjun 하은:haeun 도윤:doyun 지우:jiwoo 은별:eunbyeol 태양:taeyang 나래:narae",
        "남궁:namgung 제갈:jegal 선우:seonu 황보:hwangbo 독고:dokgo 사공:sagong 서문:seomun 동방:dongbang",
        family_first=True,
    ),
)

EMAIL_DOMAINS = ("mail.example", "post.example", "inbox.example", "kurier.example", "example.org", "example.net")
"""Reserved by RFC 2606, so that nothing sent by mistake reaches anybody."""

COMPANIES = ("Halden Freight", "Ostrava Tools", "Café Meridian", "Blue Heron Hotels", "竹中工務", "Atelier Nord")
