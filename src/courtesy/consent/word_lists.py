"""What people write who want no more messages, or want them again, or help, by language.

A keyword is a whole message. A phrase counts anywhere in a sentence; in it `*` stands for the rest of a word, `~` for
up to three words, `_` for up to one, and parentheses with bars for alternatives; phrases end with a semicolon. Those of
languages that put no blanks between words are regular expressions. Case, accents and apostrophes don't matter.
"""

from __future__ import annotations

STOP_WORDS: dict[str, str] = {
    "en": "stop, quit, end, revoke, opt out, optout, cancel, unsubscribe, unsub, stopp, halt, remove, remove me,"
    " block, no more, leave me alone, go away, sotp, stpo, enough, unsubscribed, unsuscribe, unsubcribe,"
    " unsubscibe, take me off, stop it, stop this, stop now, arret, do not contact, dnc",
    "es": "alto, baja, parar, pare, para ya, basta, detener, cancelar, cancela, darse de baja, dar de baja,"
    " dame de baja, no mas, salir, desuscribir, desuscribirme, anular, quitar, borrar",
    "fr": "arret, arreter, arretez, arrete, desabonner, desabonnement, desinscrire, desinscription, fin, annuler,"
    " resilier, desabonnez moi, ca suffit, stopper, desinscrivez moi",
    "de": "stopp, abmelden, abbestellen, aufhoren, beenden, ende, kundigen, austragen, abmeldung, abbestellung,"
    " schluss, widerruf, widerrufen, keine werbung, halt",
    "it": "basta, ferma, fermati, annulla, disiscrivi, disiscrivimi, cancellami, disdetta, cancella, smettila,"
    " disattiva, revoca, cancellazione, disiscrizione",
    "pt": "pare, parar, sair, cancelar, cancela, chega, descadastrar, remover, descadastre, nao quero mais,"
    " pare ja, cancelar inscricao, anular",
    "nl": "stoppen, afmelden, uitschrijven, opzeggen, afmelding, beeindigen, ophouden, genoeg, schrijf me uit, einde",
    "sv": "stopp, avsluta, sluta, avregistrera, avbryt, avprenumerera, avanmal, upphor, stoppa",
    "da": "stop nu, afmeld, frameld, afslut, afmeld mig, stop venligst, ophor",
    "nb": "stopp, avslutt, slutt, meld meg av, avmeld, avbestill",
    "fi": "lopeta, peruuta, poista, lopettakaa, peru tilaus, loppu",
    "pl": "stop, koniec, wypisz, rezygnuje, anuluj, przestan, przestancie, wypisz mnie, rezygnacja, usun",
    "cs": "konec, zrusit, odhlasit, odhlaste me, prestante, zastavit, dost, zruste",
    "hu": "leiratkozas, leiratkozom, eleg, allj, torles, lemondas, lemondom, hagyd abba, hagyjak abba",
    "ro": "opreste, opriti, dezabonare, dezabonati ma, renunta, anuleaza, ajunge, incetati",
    "el": "τελος, σταματα, σταματηστε, διακοπη, διαγραφη, απεγγραφη, ακυρωση, φτανει",
    "ru": "стоп, хватит, отписка, отписаться, отпишите, отмена, отказ, прекратите, отпишите меня, довольно, удалить",
    "uk": "стоп, досить, відписатися, відпишіть, відписка, відмова, припиніть, скасувати, годі",
    "tr": "dur, durdur, iptal, cik, yeter, abonelikten cik, ayril",
    "ar": "توقف, قف, الغاء, إيقاف, كفى, توقفوا, الغاء الاشتراك, أوقفوا, حذف",
    "he": "הסר, הסרה, עצור, די, בטל, ביטול, תפסיקו, להסיר, תסירו אותי, הסירו",
    "hi": "रोकें, रुको, बंद, बंद करो, बंद करें, रोको, हटाओ, रद्द, बस, सदस्यता रद्द",
    "mr": "थांबा, बंद करा, थांबवा, रद्द करा, नको, पुरे",
    "th": "หยุด, ยกเลิก, เลิก, พอแล้ว, หยุดส่ง, เลิกส่ง",
    "vi": "dừng, dừng lại, hủy, hủy đăng ký, ngừng, thôi, từ chối, huy, tu choi",
    "id": "berhenti, stop, batal, hentikan, keluar, cukup, batalkan, unreg, henti",
    "zh": "停止, 退订, 取消, 停, 退訂, 别发了, 取消订阅, 不要再发了, td, 拒收, 取消訂閱",
    "ja": "停止, 配信停止, 解除, やめて, 退会, 止めて, 登録解除, 中止, やめてください, ストップ, 配信解除",
    "ko": "중지, 수신거부, 그만, 해지, 취소, 수신 거부, 거부, 구독취소, 구독 취소, 정지, 스톱",
    "ka": "შეწყვიტეთ, გაუქმება, სტოპ, კმარა, გამორთვა, შეჩერდით, შეწყვეტა",
    "hy": "դադարեցնել, ստոպ, վերջ, բավական է, չեղարկել, դադարեցրեք, հրաժարվել, կանգ",
    "gl": "baixa, deter, abonda, parade, darse de baixa",
}

STOP_PHRASES: dict[str, str] = {
    "en": "(stop|quit|cease|discontinue|end|halt|terminate|suspend) ~(text*|txt*|messag*|msg*|mail*|email*|send*|"
    "contact*|call*|spam*|bother*|bug*|harass*|writ*|sms*|ping*|notif*|newsletter*|promotion*|ads|offers|alerts|"
    "marketing|advert*);(no more|no further|no additional|enough|not any more) ~(text*|messag*|mail*|email*|sms*|"
    "calls|spam|ads|offers|newsletter*|promo*);(dont|do not|never|not|cant you not) ~(text|txt|message|msg|email|"
    "mail|contact|call|write|bother|spam|send) ~(me|us|again|anymore|anything|this|these|messages|texts|emails|"
    "stuff);(dont|do not|no longer|never) ~(want|wish|need|like|care) ~(to receive|to get|to hear|receiv*|getting|"
    "hearing|text*|messag*|email*|mails|these|them|your ads|your offers|this newsletter|newsletter*|contact*|"
    "calls);(prefer|rather|choose|ask) not (to )?(receive|get|be|hear) *;(ask|asked|asking|told|telling|tell|want|"
    "like|need) (you|u|them|this|these|it) to stop;(unsubscribe|unsub|unsuscribe|opt out|optout|opting out|"
    "opt me out|remove me|take me off|sign me off|unsubscribing|cancel my subscription|cancel my newsletter|"
    "withdraw my consent|revoke my consent|withdraw consent|revoke consent|withdrawing my consent|"
    "revoking my consent|revoke my permission|take my ~(off|out)|lose my number|delete my (number|email|address|"
    "phone|contact)*|erase my number|remove my (number|email|name|phone|address)*|leave me alone|wrong number|"
    "off (your|the|this) (mailing |email |text |sms )?list|removed from ~list|get me off|quit it|i want out|"
    "want to stop|would like to stop|wish to stop|please stop|pls stop|plz stop|just stop|stop please|stop pls|"
    "stop plz|stop it|stop this|stop that|stop now|stop all|stop everything|stop already|stop immediately|"
    "not interested ~remove|turn off ~(notif*|alert*|messag*|text*)|turn these off|make it stop|knock it off|"
    "fuck off|piss off|buzz off|never (text|contact|call|email|message) me|said stop|told you to stop|block* you|"
    "reported as spam|reporting you|stop bothering)",
    "es": "(deje*|deja|deja*|paren|pare|para|parad) de (mandar*|enviar*|escribir*|llamar*|molestar*|contactar*|"
    "mensaj*);(no|ya no|nunca) ~(quiero|deseo|me interesa) ~(recibir|mensajes|correos|mas mensajes|mas correos|"
    "publicidad|sms);no (me )?(mand*|envi*|escrib*|llam*|molest*|contact*) ~(mas|nada|nunca|publicidad);"
    "no (me )?(manden|mandes|mande|envien|envies|envie|escriban|escribas|escriba|llamen|llames|llame|molesten|"
    "molestes|contacten|contactes);no quiero que ~(escrib*|llam*|mand*|envi*|contact*|molest*);(dame de baja|"
    "darme de baja|denme de baja|dar de baja|deme de baja|quiero la baja|quitenme|borrenme|eliminenme|"
    "borre mi numero|borren mi numero|eliminen mi*|no mas (mensajes|correos|sms|publicidad)|basta de|"
    "cancelar la suscripcion|cancelen mi suscripcion|dejenme en paz|numero equivocado|retiro mi consentimiento|"
    "no me contacten|no molesten|sacame de*|saquenme de*|desuscri*)",
    "fr": "(arret*|cess*|stop*) ~(de )?(menvoyer|envoyer|mecrire|ecrire|mappeler|me contacter|me deranger|messages|"
    "sms|mails|pub*|vos messages|spam*|les envois);(ne|je ne) ~(veux|souhaite|desire|voulons) plus ~(recevoir|"
    "de messages|de mails|de sms|vos|etre|de pub*);ne plus ~(contact*|ecri*|envoy*|menvoyer|mecrire|mappeler|"
    "recevoir|derang*|appel*|sollicit*|etre);ne (menvoyez|mecrivez|me contactez|mappelez|me derangez) plus;"
    "(desabonne*|desinscri*|retirez moi|enlevez moi|supprimez mon|effacez mon|supprimez moi|plus de (messages|"
    "mails|sms|pub*)|laissez moi tranquille|fichez moi la paix|mauvais numero|retire mon consentement|"
    "me desabonner|resilier mon abonnement|foutez moi la paix|rayez moi)",
    "de": "(hor*|stopp*|schluss) ~(auf|mit) ~(schreib*|send*|schick*|sms|werbung|nachricht*|mails|nerv*|spam*|"
    "anruf*|mich);(keine|keinen|nicht mehr|nie wieder|nie mehr) ~(nachricht*|sms|mails|emails|werbung|newsletter|"
    "anruf*|kontaktier*|anschreib*|schreiben|schicken|senden|kontakt|mehr erhalten|angebote) ~(mehr|schicken|"
    "senden|erhalten|bekommen|bitte|wunsch*|von euch|von ihnen)?;(nehm*|streich*|entfern*) ~(von|aus) ~(liste|"
    "verteiler);unterlass* ~(nachricht*|werbung|mails|sms|kontakt*|anrufe);mich ~(abmelden|austragen|abzumelden);"
    "(will|mochte|wunsche) ~(nichts mehr|keine|nicht mehr|nie mehr);(schreib*|schick*|send*|kontaktier*|"
    "ruf*) ~(mich|mir|uns) (bitte )?(nicht mehr|nie wieder|nie mehr|nichts mehr|keine* *);(abbestell*|"
    "meld* ~mich ~ab|abmeld*|austragen|tragt mich aus|losch* ~(meine|mich)|nimm* mich (aus|von) *|"
    "lasst mich in ruhe|lassen sie mich in ruhe|falsche nummer|widerruf* ~(einwilligung|zustimmung)|"
    "einwilligung ~widerruf*|newsletter ~kundigen|aus ~verteiler|"
    "(hort|horen sie|hor) (bitte |endlich |sofort |doch )?auf)",
    "it": "(smett*|basta|ferm*|cess*|piantat*) ~(di |con )?(mandar*|inviar*|scriver*|messagg*|sms|email|mail|"
    "chiam*|disturb*|pubblicita|spam|contattar*);non (mi )?(mand*|invi*|scriv*|contatt*|chiam*|disturb*) ~(piu|"
    "messaggi|niente|mai);non ~(voglio|desidero|intendo|mi interessa) (piu )?~(ricever*|messaggi|email|mail|"
    "pubblicita|essere contatt*);(disiscriv*|cancellatemi|cancellami|toglietemi|rimuovetemi|rimuovete il mio|"
    "rimuovete la mia|eliminate il mio|cancellate il mio|lasciatemi in pace|numero sbagliato|revoco il consenso|"
    "revoco il mio consenso|niente (piu )?(messaggi|email|pubblicita)|annullare l*iscrizione)",
    "pt": "(pare*|parem|para) (ja )?de (me )?(mandar*|enviar*|escrever*|ligar*|incomodar*|contatar*|contactar*|"
    "perturbar*);nao ~(quero|desejo) ~(receber|mensagens|emails|e mails|sms|propaganda|ser contatad*);"
    "nao me (mandem|mande|mandes|enviem|envie|escrevam|escreva|liguem|ligue|contatem|contactem|incomodem|chateiem);"
    "(remov*|apag*|exclu*|tir*) ~(meu|minha) (email|e mail|numero|telefone|contato|nome);nao (me )?(mand*|envi*|"
    "escrev*|lig*|contat*|contact*|incomod*|perturb*) ~(mais|mensagens|nada|nunca);(descadastr*|me tir* ~lista|"
    "me remov*|remova* meu|remova* me|retire* meu|apague* meu|tira meu numero|cancelar ~inscricao|"
    "cancele ~(assinatura|inscricao)|chega de|me deixe* em paz|deixem me em paz|numero errado|nao me perturbe*|"
    "sem mais mensagens|retiro o meu consentimento|quero sair da lista|tirem me|removam me)",
    "nl": "(stop*|hou*) ~(op |met )~(bericht*|sms*|mail*|bellen|sturen|appen|spam*|lastig*|stur*|reclame);(geen|"
    "niet meer|nooit meer) ~(bericht*|sms*|mail*|reclame|bellen|nieuwsbrief|contact) ~(meer|ontvangen|sturen)?;"
    "(wil|wens) ~(geen|niets|niet) ~(meer|ontvangen|bericht*);(stuur|mail|bel|app|sms|schrijf) (me|"
    "mij) (alsjeblieft )?(niet meer|niks meer|nooit meer|niets meer|geen *);(uitschrijv*|schrijf (me|mij) uit|"
    "meld (me|mij) af|afmeld*|haal (me|mij) van*|verwijder (me|mij|mijn)|laat (me|mij) met rust|verkeerd nummer|"
    "trek mijn toestemming|rot op|stop ermee|hou op|hou ermee op)",
    "sv": "(sluta|stoppa) ~(skick*|skriv*|sms*|mejl*|mail*|ring*|spam*|stor*|utskick*|meddeland*);(inga|"
    "inte) ~(fler|mer|mera|langre) ~(sms|mejl|mail|meddeland*|reklam|utskick);(vill|onskar) ~(inte|inga) ~(ha|fa|"
    "langre|mer|fler);(avregistrera|avsluta ~prenumeration*|avprenumerera|ta bort (mig|mitt)|lat mig vara|"
    "lamna mig ifred|fel nummer|aterkallar ~samtycke|skicka inte*|kontakta mig inte|sluta genast)",
    "da": "(stop*|hold op) ~(med )?~(skriv*|send*|sms*|mail*|ring*|spam*|beskeder|reklame*|forstyr*);(ikke|"
    "ingen) ~(flere|mere|laengere|længere) ~(sms*|mail*|beskeder|reklame*);(vil|onsker) ~(ikke|ingen) ~(have|"
    "modtage|mere|flere);(afmeld*|frameld*|slet mit|slet mig|fjern mig|lad mig vaere|lad mig være|lad mig vare|"
    "forkert nummer|traekker mit samtykke|trækker mit samtykke|send ikke*|skriv ikke*|kontakt mig ikke)",
    "nb": "(slutt|stopp) ~(a |å )?~(sende|skriv*|sms*|ring*|mas*|spam*|meldinger|reklame*|utsendels*);(ikke|"
    "ingen) ~(flere|mer|lenger) ~(sms*|meldinger|reklame*|eposter);(vil|onsker|ønsker) ~(ikke|ingen) ~(ha|motta|"
    "mer|flere);(meld meg av|avmeld*|slett (meg|nummeret|mitt)|fjern meg|la meg vaere|la meg være|la meg vare|"
    "feil nummer|trekker samtykk*|trekker mitt samtykk*|ikke send*|ikke kontakt*)",
    "fi": "(lopet*) ~(viest*|lahett*|tekstar*|soitt*|spamm*|mainok*|nama|hairin*|nyt|heti);(en|emme) ~(halua|toivo|"
    "tahdo) ~(enaa|naita|viest*|mainok*|saada);(ala|alkaa) ~(laheta*|lahettako|soita*|kirjoita*|hairitse*|"
    "ottako yhteytta);(ei enaa ~(viest*|mainok*)|poistakaa* ~(minut|numero*)|poista (minut|numeroni)|"
    "peru* ~(tilaus*|uutiskirje*)|jattakaa minut rauhaan|vaara numero|perun suostumu*|peruutan suostumu*)",
    "pl": "(przesta*) ~(mi )?(wysyl*|pisac|dzwonic|smsow*|spamow*|nekac|mnie|meczyc);nie (wysyl*|pisz*|dzwon*|"
    "kontaktuj*|przysyl*) ~(do mnie|mi|wiecej|juz|sie|nic);nie (chce|zycze|chcemy) ~(sobie )?~(otrzymywac|"
    "wiadomosci|sms*|maili|reklam|dostawac|kontaktu|wiecej);(wypisz* mnie|wypisac sie|mnie wypisac|wypisac mnie|"
    "usun* (moj|mnie|numer)*|rezygnuj* z|zrezygnowac z|dajcie mi spokoj|prosze przestac|zly numer|pomylka|"
    "cofam zgode|wycofuje zgode|koniec z|zadnych wiecej|wypisuje sie)",
    "cs": "(prestan*) ~(mi )?(posil*|psat|volat|spamovat|obtezovat|otravovat|zasilat|s temi);(neposilej*|nepis*|"
    "nevolej*|nekontaktuj*|nezasilej*) ~(mi|me|uz|nic|zadne)?;(nechci|neprej*|nechceme) ~(uz )?~(dostavat|zpravy|"
    "smsky|sms|maily|reklam*|zadne);(odhlas* ~(me|mne|se|z odberu)|odhlasit|vymazte me|smazte me|smazte moje*|"
    "vyradte me|vymazte moje*|dejte mi pokoj|spatne cislo|odvolavam souhlas|zruste ~odber|zrusit odber|uz zadne)",
    "hu": "(ne|tobbe ne|soha ne) ~(kuld*|irjon*|irjatok|ir|hivjon*|hivjatok|keress*|zavarj*|uzenj*);(hagy* abba|"
    "hagyjak abba|hagyjatok abba) ~;(nem) ~(szeretn*|akar*|kerek|kerunk) ~(tobb*|uzenet*|level*|sms*|hirlevel*|"
    "reklam*|kapni|ilyen*);(leiratkoz*|iratkoztassanak le|iratkoztass le|toroljek ~|toroljetek ~|torold ~|"
    "vegyenek le*|vegyetek le*|hagyjanak beken|hagyjatok beken|teves szam|rossz szam|visszavonom ~hozzajarulas*|"
    "elegem van ~uzenet*|mondjak le)",
    "ro": "(nu) ~(trimit*|scrie*|suna*|contact*|deranj*) ~(mai|mesaje|nimic|niciodata)?;(opriti*|incetati*|"
    "terminati*|opreste) ~(mesaj*|trimit*|sms*|spam*|sa|cu|reclam*);nu (mai )?(vreau|doresc) ~(mesaje|sa primesc|"
    "emailuri|reclame|sms*|primesc);(dezabon*|stergeti*|scoateti ma|eliminati ma|lasati ma in pace|numar gresit|"
    "imi retrag ~|retrag consimtamantul|fara mesaje)",
    "el": "(σταματηστε|σταματα|παψτε|παψε) ~(να )?~(στελν*|μηνυμα*|γραφ*|ενοχλ*|καλ*|sms|παιρν*);(μη|μην) ~(στελν*|"
    "στειλ*|ενοχλ*|επικοινων*|γραφ*|καλ*|παιρν*|μηνυμα*|μου);δεν ~(θελω|επιθυμω) ~(αλλα|πια|να λαμβαν*|μηνυμα*|"
    "λαμβανω|διαφημ*);(διαγραψτε με|διαγραψτε το|διαγραφη απο|αφαιρεστε με|βγαλτε με|αφηστε με ησυχ*|λαθος αριθμος|"
    "απεγγραφη|ανακαλω ~συγκαταθεση|αποσυρω ~συγκαταθεση|οχι αλλα μηνυματα|τερμα τα μηνυματα)",
    "ru": "(прекратит*|хватит|перестан*|завязывайте|прекращайте|кончайте) ~(мне )?(слать|писать|присыл*|отправ*|"
    "звонить|спам*|беспоко*|рассыл*|доставать|присылать);не (присыл*|пишите|пиши|шлите|отправ*|звоните|звони|"
    "беспоко*|надо мне) ~(мне|больше|сообщен*|смс|рассыл*|ничего|меня)?;не (хочу|желаю|хотим) ~(больше )?~(получ*|"
    "ваш*|сообщен*|смс|рассыл*|рекламу);(отпишит* меня|отписаться|отписываюсь|отпишит*|(удалит*|удалить) ~(меня|"
    "мой|номер)|уберите меня|отстаньте|оставьте меня|ошиблись номером|не туда попали|отзываю ~согласие|"
    "отказываюсь от|больше не (надо|нужно|пишите)|никаких больше|никакой рекламы|исключите меня)",
    "uk": "(припиніть|перестаньте|досить|годі|хватит|припиняйте) ~(мені )?(слати|писати|надсил*|дзвонити|спам*|"
    "турбувати|розсил*|присилати);не (надсил*|пишіть|пиши|шліть|присилайте|дзвоніть|турбуйте) ~(мені|більше|мене|"
    "повідомл*)?;не (хочу|бажаю|хочемо) ~(більше )?~(отрим*|ваш*|повідомл*|смс|розсил*|рекламу);(відпишіть мене|"
    "відписатися|(видаліть|видалити) ~(мене|мій)|приберіть мене|відчепіться|дайте мені спокій|помилились номером|"
    "відкликаю ~згоду|відмовляюсь від|відмовляюся від|більше не треба|ніякої реклами|залиште мене)",
    "tr": "(mesaj|sms|mail|eposta|reklam)* ~(atmayin*|gondermeyin*|istemiyorum|yollamayin*|atma|gonderme|"
    "istemiyoruz|kesin|durdurun);(bana|beni|artik) ~(yazmayin*|aramayin*|rahatsiz etmeyin*|mesaj atma*|yazma|arama|"
    "gondermeyin|istemiyorum);(aboneli* ~(iptal*|cik*)|listeden cikar*|listenizden ~cikar*|numarami sil*|beni sil*|"
    "beni rahat birak*|yanlis numara|onayimi geri|iznimi geri|riza* geri|uyeligimi iptal*)",
    "ar": "(توقف* عن|كفوا عن|اوقفوا|اوقف) ~(ارسال*|مراسلت*|الرسائل|ازعاج*|الاتصال|هذه*|رسائل*);(لا|لم اعد) ~(ترسل*|"
    "تراسل*|تتصل*|تزعج*|اريد|ارغب) ~(لي|رسائل*|مجددا|بعد|استلام|اعلانات|بي|المزيد|ني|في)?;(الغ* ~(اشتراك*|"
    "الاشتراك)|احذف* رقمي|ازيلوني|احذفوني|شيلوني|اتركوني|رقم خاطئ|الرقم خطا|اسحب موافقتي|بدون رسائل|ما ابي رسائل|"
    "بطلوا رسائل)",
    "he": "(תפסיקו|תפסיק|הפסיקו|די) ~(עם )?(לשלוח|לסמס|להציק|להתקשר|לכתוב|ההודעות|הודעות|להטריד|הספאם|כבר);(אל|"
    "לא) (תשלחו*|תשלח|תכתבו|תתקשרו|תפנו|לשלוח|להתקשר|תטרידו) ~(לי|יותר|אלי)?;(לא|אינני|איני) (רוצה|מעוניין|"
    "מעוניינת) ~(לקבל|הודעות|יותר|בהודעות|פרסומות|בפרסומות);(תסירו אותי|הסירו אותי|להסיר אותי|תמחקו את|תורידו אותי|"
    "הסר מרשימ*|בטלו ~(מנוי|הסכמ*)|עזבו אותי|מספר לא נכון|טעות במספר|חוזר בי מהסכמ*|מבטל* ~הסכמ*)",
    "hi": "(संदेश|मैसेज|मेसेज|एसएमएस|कॉल|ईमेल|विज्ञापन)* ~(मत|बंद|रोक*|नहीं चाहि*|न भेज*|ना भेज*);(मुझे|हमें) ~(मत|"
    "न|ना) (भेज*|लिख*|परेशान);(मैसेज करना बंद|परेशान मत|नंबर हटा*|नंबर डिलीट|सूची से हटा*|लिस्ट से हटा*|"
    "सदस्यता रद्द|गलत नंबर|सहमति वापस|भेजना बंद|संपर्क न*|संपर्क मत|मुझे हटा*|message mat bhej*|msg mat bhej*|"
    "mat bhejo|band karo|sms band)",
    "mr": "(संदेश|मेसेज|मॅसेज|एसएमएस|कॉल|जाहिराती|जाहिरात)* ~(नको*|बंद|पाठवू नका|थांबव*|करू नका);(पाठवू नका|"
    "पाठवणे बंद|पाठवणे थांबव*|त्रास देऊ नका|नंबर काढ*|यादीतून काढ*|सदस्यत्व रद्द|चुकीचा नंबर|संमती मागे|"
    "संपर्क करू नका|मला काढ*)",
    "th": "(หยุดส่ง|เลิกส่ง|อย่าส่ง|ไม่ต้องส่ง|ไม่อยากรับ|ไม่ต้องการรับ|ไม่รับข้อความ|ไม่ต้องการข้อความ|"
    "ยกเลิกการรับ|ยกเลิกรับ|ลบเบอร์|ลบชื่อ|เลิกโทร|อย่าโทร|อย่าติดต่อ|ไม่ต้องติดต่อ|เอาฉันออก|เอาชื่อออก|เบอร์ผิด|"
    "ผิดเบอร์|ถอนความยินยอม|ยกเลิกการสมัคร|ยกเลิกสมาชิก|อย่ารบกวน|เลิกสแปม|หยุดรบกวน|ยกเลิกความยินยอม|"
    "ไม่อยากได้ข้อความ)",
    "vi": "(đừng|ngừng|dừng|thôi|dung|ngung|không|khong) ~(gửi|nhắn|gọi|làm phiền|liên lạc|liên hệ|spam|gui|"
    "nhan) ~(tin|cho tôi|nữa|tôi|cho toi|nua)?;không (muốn|cần) ~(nhận|tin nhắn|quảng cáo|email);(hủy đăng ký|"
    "huỷ đăng ký|xóa số|xoá số|gỡ tôi|xóa tôi|để tôi yên|nhầm số|sai số|rút lại sự đồng ý|bỏ tên tôi|huy dang ky)",
    "id": "(jangan|berhenti|stop|tolong berhenti|hentikan|setop) ~(kirim*|mengirim*|sms*|hubungi|menghubungi|"
    "ganggu|telepon|wa|pesan|spam|mengganggu|chat|email*) ~(lagi|saya|pesan)?;(tidak|gak|nggak|ga|tak) (mau|ingin|"
    "perlu) ~(menerima|terima|pesan|sms|iklan|promo|lagi dihubungi|dihubungi|dapat);(hapus (nomor|saya|data)*|"
    "keluarkan saya|batalkan langganan|berhenti berlangganan|salah nomor|nomor salah|cabut persetujuan|"
    "tarik persetujuan|jangan hubungi)",
    "zh": "(不要再|别再|不要|请勿|勿|别|停止|不要給|别给|不用再|不想再|請勿|別再|請不要)(给|給)?(我|再)*(发|發|寄|"
    "打|联系|聯絡|骚扰|騷擾|打扰|打擾|推送|收到|发送|發送|传|傳);(退订|退訂|取消订阅|取消訂閱|拒收|删除我的|"
    "刪除我的|把我移除|移除我|打错了|发错人|不想收|不想收到|不再接收|别烦我|别来烦|撤回同意|撤销同意|停止推送|"
    "不需要(这些|你们的|广告)|屏蔽)",
    "ja": "(送らないで|送るな|送信しないで|連絡しないで|電話しないで|メールしないで|配信(を)?(停止|止めて|やめて|"
    "解除)|(送る|送信|メール|連絡)(の|を)*(は)?(やめて|止めて|停止)|登録(を)?(解除|削除|抹消)|退会し|"
    "もう(いりません|要りません|結構)|不要です|解約し|削除してください|番号(を)?(消して|削除)|番号違い|間違い電話|"
    "同意を(撤回|取り消)|受け取りたくな|いらないです|迷惑です|リストから外して|購読(を)?(解除|停止|やめ))",
    "ko": "(보내지 ?(마|말)|그만 ?(보내|연락|문자|좀)|연락하지 ?(마|말)|전화하지 ?(마|말)|문자 ?(그만|보내지|하지)|"
    "수신 ?거부|수신 ?동의 ?철회|동의(를)? ?철회|받고 ?싶지 ?않|받기 ?싫|구독(을)? ?(취소|해지)|번호(를)? ?(삭제|"
    "지워)|삭제해|빼 ?주세요|탈퇴|잘못 ?거|번호(가)? ?틀|광고 ?그만|스팸 ?그만|필요 ?없으니|차단)",
    "ka": "(ნუ|აღარ|არ) ~(გამომიგზავნ*|მომწერ*|გამიგზავნ*|შემაწუხებ*|დამირეკ*|მწერთ|გამოგზავნ*|მსურს|მინდა) ~;"
    "(შეწყვიტეთ|შეწყვიტე|შეაჩერეთ) ~(შეტყობინებ*|გამოგზავნ*|სმს*|წერა|მესიჯ*|გზავნა);(წამშალეთ|ამომიღეთ|"
    "გააუქმეთ ~(გამოწერა|ჩემი)|წაშალეთ ჩემი|შემეშვით|არასწორი ნომერი|ვიხმობ თანხმობას|გამოვიხმობ თანხმობას|"
    "თავი დამანებეთ|ნომერი შეგეშალათ)",
    "hy": "(մի|այլևս մի|էլ մի|այլեւս մի) (ուղարկ*|գրեք|գրիր|զանգ*|անհանգստաց*|կապվ*);(դադարեցրեք|դադարեցրու|"
    "վերջ տվեք) ~(ուղարկ*|հաղորդագր*|գրել|նամակ*|սմս*|զանգ*);(չեմ) (ուզում|ցանկանում) ~(ստանալ|հաղորդագր*|նամակ*|"
    "գովազդ*|այլևս*);(ջնջեք ~(իմ|ինձ|համար*)|հանեք ինձ|հանգիստ թողեք|սխալ համար|հետ եմ վերցնում ~|չեղարկեք ~(իմ|"
    "բաժանորդ*)|հրաժարվում եմ)",
    "gl": "(deixade*|deixe*|parade|pare*) de (mandar*|enviar*|escribir*|chamar*|molestar*);non ~(quero|"
    "desexo) ~(recibir|mensaxes|correos|publicidade|mais);non (me )?(mand*|envi*|escrib*|cham*|molest*) ~(mais|"
    "mensaxes|nada|nunca);(dademe de baixa|dame de baixa|darme de baixa|borrade o meu|eliminade o meu|"
    "deixademe en paz|numero equivocado|retiro o meu consentimento|quitademe|non mais mensaxes|abonda de)",
}

WEAK_WORDS = (
    "end, block, remove, enough, halt, fin, ende, ferma, alto, konec, koniec, einde, baja, baixa, salir, sair,"
    " borrar, quitar, usun, poista, quit, cut, dur, batal, cukup, keluar, удалить, बस, थांबा, 取消, 취소, cancel,"
    " cancela, cancelar, annulla, cancella, annuler, anular, anuluj, zrusit, iptal, отмена, ακυρωση, storno"
)
"""Keywords that mean much else as part of a longer message."""

START_WORDS = (
    "start, unstop, resubscribe, subscribe, opt in, optin, start again, alta, iniciar, suscribir, suscribirme,"
    " empezar, reprendre, demarrer, abonner, inscription, reabonner, anmelden, starten, wieder anmelden, iscrivimi,"
    " inizia, iscrizione, riattiva, ativar, inscrever, comecar, recomecar, aanmelden, inschrijven, starta, borja,"
    " tilmeld, start igjen, meld meg pa, aloita, tilaa, zapisz, zacznij, zapisz mnie, zacit, prihlasit,"
    " feliratkozas, kezd, abonare, porneste, εναρξη, εγγραφη, старт, начать, подписаться, подписка, почати,"
    " підписатися, basla, baslat, abone ol, ابدأ, اشتراك, اشترك, התחל, הצטרף, हाँ शुरू करें, शुरू, शुरू करें,"
    " सुरू करा, सुरू, เริ่ม, สมัคร, bắt đầu, đăng ký, mulai, daftar, 开始, 订阅, 開始, 登録, 再開, 시작, 구독,"
    " 수신동의, დაწყება, გამოწერა, სტარტ, սկսել, բաժանորդագրվել, comezar"
)

START_PHRASES = (
    "(resubscribe|re subscribe) me|sign me (back )?up|start ~(texting|messaging|sending) ~me ~again|"
    "opt me (back )?in|(put|add) me back on|i want ~(texts|messages|emails) again|vuelvan a enviarme|dame de alta|"
    "reabonnez moi|meldet mich wieder an|iscrivetemi di nuovo|inscreva me de novo|schrijf me weer in|"
    "подпишите меня|підпишіть мене"
)

HELP_WORDS = (
    "help, info, help me, ayuda, aide, hilfe, aiuto, ajuda, hulp, hjalp, hjælp, hjelp, apua, pomoc, segitseg,"
    " ajutor, βοηθεια, помощь, допомога, yardim, مساعدة, עזרה, मदद, मदत, ช่วยเหลือ, ช่วยด้วย, trợ giúp, bantuan,"
    " 帮助, 幫助, ヘルプ, 도움말, 도움, დახმარება, օգնություն, axuda"
)

COURTESIES = frozenset(
    (
        "please pls plz thanks thank you thx ty ok okay hi hello hey now sir madam dear por favor gracias"
        " hola bitte danke hallo merci svp bonjour sil vous plait grazie per favore ciao prego obrigado"
        " obrigada ola alsjeblieft aub bedankt tack snalla hej takk vaer sa snill tak kiitos prosze dziekuje"
        " prosim dekuji kerem koszonom va rog multumesc παρακαλω ευχαριστω пожалуйста спасибо будь ласка"
        " дякую lutfen tesekkurler من فضلك شكرا לו בבקשה תודה कृपया धन्यवाद कृपा करून ครับ ค่ะ คะ นะ tolong"
        " terima kasih xin vui lòng cảm ơn გთხოვთ მადლობა խնդրում եմ շնորհակալություն grazas immediately at"
        " once asap sofort inmediatamente"
    ).split()
)
"""Words that say nothing of what is wanted, at either end of a message."""

EVERYTHING = (
    "all, stopall, everything, every, any channel, anywhere, todo, todos, todas, tout, tous, toutes, alles, alle,"
    " allen, tutto, tutti, tudo, allt, alla, kaikki, wszystko, wszystkie, wszystkich, vse, vsechno, mindent,"
    " minden, tot, toate, ολα, все, всё, всех, всего, усе, всі, всіх, hepsini, hepsi, tum, الكل, كل, جميع, הכל, כל,"
    " सब, सभी, सर्व, ทั้งหมด, tất cả, semua, 全部, 所有, すべて, 全て, 全部, 모두, 모든, ყველა, ყველაფერი,"
    " ամեն ինչ, բոլոր"
)
"""Of what was refused: over every channel, and not only over the one at hand."""

DOUBTS = (
    "(remov*|delet*|eras*|scrub|elimin*|borr*|sac*|supprim*|enlev*|retir*|losch*|entfern*|streich*|rimuov*|"
    "cancell*|toglie*|apag*|verwijder*|haal*|usun*|wypis*|smaz*|vymaz*|vyrad*|удал*|убер*|исключ*|видал*|прибер*|"
    "hapus*|sterg*|torol*|διαγρα*|σβη*|poist*|slet*|fjern*|bort) ~(number|numero|nummer|email|list*|lijst|database|"
    "base|datenbank|datos|donnees|daten|номер|баз*|списк*|numer|nomor|numar|szamom*|αριθμο|λιστα|contact*|"
    "kontakt*);(text*|messag*|email*|mails|calls|ads|spam) ~(annoy*|harass*|unwanted|unsolicited|illegal|too many|"
    "bother*);(annoy*|harass*|unwanted|unsolicited|illegal|sick of|tired of|fed up with|done with|"
    "too many) ~(text*|messag*|email*|mails|calls|ads|spam|newsletter*);(why|how) ~(still|keep) ~(getting|"
    "receiving|get|texting|sending|emailing|messaging) ~;(you|yall) ~(keep|still) (texting|messaging|emailing|"
    "sending|calling|spamming)"
)
"""What somebody may write who wants no more: refused for now, and asked."""

HARMLESS = (
    "(hab*|hatte*) ~kein* ~(bekommen|erhalten|gekriegt|gefunden);(heb|hebben|had) ~geen ~(gehad|ontvangen|"
    "gekregen);(har|hade) ~(inte|ikke) ~(fatt|faet|mottatt|modtaget);(havent|have not|didnt|did not|not|"
    "never) (yet )?(received|gotten|got|get|receive|seen) ~(text*|messag*|email*|code|mail);non stop|nonstop|"
    "one stop|bus stop|tram stop|train stop|next stop|last stop|first stop|pit stop|full stop|stopover|stop (by|in|"
    "at|over|off|light|sign|watch|motion|loss)|stops (by|at|in)|stopped (by|at|in)|(wont|cant|cannot|can not|"
    "couldnt|without|never) _(stop*|quit*)|(dont|do not|never|not) _(stop*|quit*|cancel*|unsubscribe*|end|opt out|"
    "remove me|take me off|revoke*|leave me alone)|stop (worrying|laughing|smiling|crying|raining|working|thinking|"
    "eating|talking|wearing|loving|buying|dancing)|(did|does|has) (it|the|this|that) ~(stop|end|ended|stopped)|"
    "(reply|text|send|answer|type) stop|stop to (opt out|unsubscribe|end|cancel|stop)|(to|how to|how do i|can i|"
    "could i) (cancel|end|quit|stop) ~(order|appointment|booking|reservation|delivery|contract|flight|ticket)|"
    "(cancel*|end|remove|revoke) ~(order|appointment|booking|reservation|delivery|table|flight|ticket|item|trip|"
    "class|season|week|day|month|year|sale|cart|coat|stain*)|(week|month|year|day|dead|rear|front|high|low|open|"
    "book) end|the end|in the end|quit smoking|halt* an|i unsubscribed ~by (mistake|accident)|by (mistake|"
    "accident)|(no|nunca|sin) (pare*|paren|parar|cancel*|deje*|dejen) ~|no ~dar* de baja|(no|non) (quiero|"
    "quero) ~(cancelar|baja|baixa)|(ne|pas|sans) ~(arretez|arreter|desabonn*|desinscri*|resili*) ~(pas|surtout)?|"
    "ne ~(desabonnez|desinscrivez) pas|(hort|horen sie|hor) (bitte )?nicht auf|nicht (abmelden|abbestellen|"
    "aufhoren|kundigen|stoppen)|non (smett*|cancell*|disiscriv*|fermat*)|nao (par*|cancel*|descadastr*|remov*) ~|"
    "niet (stoppen|afmelden|uitschrijven)|(stop|hou) niet|niet ophouden|(sluta|avsluta|avregistrera) ~inte|(stop|"
    "afmeld|frameld) ~ikke|(slutt|stopp|meld meg) ~ikke|ikke (stop*|slutt*|afmeld*|meld meg av)|ala ~(lopeta|peru|"
    "poista)|alkaa ~(lopettako|peruko|poistako)|nie (przestawaj*|wypis*|anuluj*|rezygnuj*|usuwaj*)|(neprestavej*|"
    "neodhlasuj*|neruste)|(ne) (hagy* abba|toroljek|toroljetek)|nu (va )?(opriti*|dezabon*|stergeti*)|"
    "μη(ν)? (σταμα*|διαγρα*)|не (прекращ*|останавлив*|отпис*|перестав*|удаляйте|отменяй*)|не (припин*|зупиня*|"
    "відпис*|видаляйте|скасову*)|(durdurmayin|iptal etmeyin|cikarmayin|silmeyin)|(لا|لم) (تتوقف*|تلغ*|تحذف*)|(אל|"
    "לא) (תפסיק*|תסיר*|תבטל*|תמחק*|להסיר|להפסיק)|(बंद|रद्द) (मत|न|ना) ~|(थांबू|थांबवू|बंद करू) नका|(đừng|không|"
    "dung) (dừng|ngừng|hủy|dung|huy)|jangan (berhenti|batalkan|hentikan|hapus)|(არ|ნუ) (შეწყვიტ*|გააუქმ*|წაშალ*)|"
    "(մի) (դադարեց*|ջնջ*|չեղարկ*|հանեք)|non (paredes|deixedes)|(didnt|did not|never) (mean|want|ask) to _(unsubscribe|"
    "opt out|cancel|stop|leave)|let me (remove|unsubscribe|delete)|(quit*|saqu*|sac*|borr*|elimin*) ~(articulo|"
    "producto|prenda|pedido)|no me (den|des|de) de baja|dar de baja ~(tarjeta|linea|pedido)|no me (quiten|saquen|"
    "borren|eliminen)|ne (me|nous) (desinscri*|"
    "desabonn*|retir*|supprim*|enlev*|effac*) pas|non (mi )?(toglie*|rimuov*|elimin*)|nao me (tire*|remov*|apague*|"
    "descadastr*)|(haal|verwijder|schrijf|meld) (me|mij) ~niet|losch* ~mich nicht|(fjern|slet|slett|stryk|radera) (mig|"
    "meg) ~(ikke|inte)|(ta|ta bort) (mig|meg) (inte|ikke)|inte ~(ta bort|stryk) ~mig|ikke ~(fjern*|slett*|ta meg av)|"
    "nie (skreslaj*|usuwaj*) ~|(nevyrazuj*|nemaz*|nevymaz*) ~|ne (vegyen*|vegyet*|torol*) ~|nu ma (scoateti|stergeti|"
    "eliminati)|μη(ν)? (με )?(βγαζ*|βγαλ*|σβη*)|не (исключ*|убир*|вычерк*) ~|не (виключ*|вилуч*|прибир*) ~|(لا) "
    "(تزيل*|تشيل*|تمسح*) ~|(אל|לא) (תורידו|תוציאו|תגרעו) ~|(मत|न) (हटा*|निकाल*)|jangan (keluarkan|hapus) ~"
)
"""Sentences with such words that refuse nothing: they are taken out before anything is looked for."""

HARMLESS_UNSPACED = (
    "(อย่า|ไม่|ห้าม)(หยุด|เลิก|ยกเลิก|ลบ)|(ยกเลิก)(ออเดอร์|นัด|การจอง|คำสั่งซื้อ)|ไม่หยุด|วันหยุด|(不要|别|別|不会|"
    "不)(停止|停|取消|退订|退訂|删除)|取消(订单|訂單|预约|預約|航班)|停(车|車|电|電|水)|(停止|解除|退会|中止|解約|"
    "配信停止|削除)し(ない|ません)|(やめ|止め)ない|(雨|電車|バス)が?(止|や)|停止しないで|やめないで|(중지|취소|"
    "해지|거부|삭제|탈퇴|차단)(하지|를 원하지|을 원하지)|(예약|주문|항공편)(을|를)? ?(취소|삭제)|그만두지|멈추지|"
    "(外さ|消さ)ないで|(不要|别|別)把我|(빼|지우)지 ?(마|말)|อย่า(เอาชื่อ|ลบ|ถอด)"
)
