"""The small words of languages, and the endings of those that inflect instead; `languages` reads texts by them."""

from typing import Final

WORDS: Final = {
    "en": (
        "the of and to in is that it for was on are as with his her they at be this have from or had by but"
        " not what all were we when your can said there use an each which she do how their if will up other"
        " about out many then them these so some would make like him into time has look two more go see no"
        " could my than been who its now did get come may i you he me a am us our i'm it's don't can't i'll"
        " you're that's let's any just yes please thanks should where why does also only want need know tell"
        " take call one first over after before again here very much because off too every still"
    ),
    "es": (
        "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí"
        " porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos todos uno les"
        " ni contra otros ese eso ante ellos e esto mí antes algunos qué unos yo otro otras otra él tanto esa"
        " estos mucho cada tengo tiene puede quiero está estoy son es fue ser mi usted cómo cuánto dónde"
        " quisiera necesito hoy ayer mañana algo nada he ha si te tu aquí así va favor estaba hacer sea mismo"
        " misma dos tres vez luego después ahora nunca siempre mejor bastante dijo había están era eran eres"
        " tienen pueden cuál cuenta dice hizo quería van doy hola gracias"
    ),
    "fr": (
        "de la le et les des en un une du que est pour qui dans il au ne pas sur se ce plus par je avec tout"
        " nous mais comme ou si leur y elle vous son sa ses ces cette sont été être avoir fait même aussi bien"
        " peut mon ma mes votre vos notre on où quand c'est n'est j'ai qu'il aux sans très quel quelle ont"
        " avez suis était lui moi d'un d'une l'on puis donc alors merci voudrais pouvez est-ce pourquoi encore"
        " trop ça va faire moins avant après depuis toujours jamais deux fois celui celle ceux tous toutes"
        " autre autres pendant entre serait étaient avait avaient ils elles vais vas dit peu ici là"
        " malheureusement besoin rien quelque chose me te soit"
    ),
    "de": (
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden"
        " aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur"
        " oder aber vor zur bis mehr durch man sein wurde sei ich wir ihr mir mich mein meine ihre ihren ihnen"
        " kann können möchte wenn was wo wer uns unser diese dieser diesem bitte heute morgen schon sehr hier"
        " da dann doch wieder keine kein habe gibt du daran einfach würde gern weil leider bisher jetzt immer"
        " nie gestern hatte hätte waren wären sollte sollten muss müssen will wollen dieses jeder alle alles"
        " andere etwas nichts ob damit deshalb mal zwei drei unter gegen zwischen seit während dein deine"
        " seine ihres eines"
    ),
    "it": (
        "di e il la che è a per in un non sono del i una della con da si le al più nel come ma lo ha o se"
        " anche dei gli alla mi ci questo questa su io tutto hanno ho delle dal era molto essere cosa sua mio"
        " mia quando fatto può tra dalla suo sul ne cui sulla dove chi perché vorrei quanti quanto posso deve"
        " favore grazie oggi domani ieri sei siamo ancora già solo lei noi stata stato loro ai degli fare va"
        " due volte stesso stessa dopo prima adesso sempre mai meglio detto aveva erano fatta qui lì ogni"
        " altro altra altri molti poi così però mentre senza vuole voglio stati hai abbiamo nella nelle alle"
        " dello"
    ),
    "pt": (
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem"
        " à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois"
        " sem mesmo aos ter seus quem nas me esse eles estão você tinha foram essa num nem suas meu às minha"
        " têm numa pelos elas qual nós lhe deles essas pode quero gostaria preciso hoje ontem amanhã quanto"
        " tenho aqui esta este deve são vai estava fazer duas dois vez vezes mesma mesmos agora sempre nunca"
        " melhor bastante disse havia eram fui vou cada outro outra outros então porque onde sobre todos tudo"
        " nada pra pro lá faz ficou"
    ),
    "nl": (
        "de van het een en in is dat op te zijn met voor niet aan er om ook als dan maar bij uit nog naar"
        " heeft ze hij of door over worden al wordt meer hebben we ik u je mijn dit die deze was waren kan"
        " kunt kunnen wil hoe wat waar wanneer mij zeggen uw ons geen heb wel zo moet had jullie zich toch nu"
        " vandaag morgen veel terug graag omdat toen altijd nooit gisteren zou zouden moest moeten mag alle"
        " alles andere iets niets dus twee drie onder tegen tussen sinds tijdens jouw hun hem haar zei gaan"
        " gaat komt na"
    ),
    "sv": (
        "och i att det som en på är av för med den till inte har de ett om var jag han så vi men kan från du"
        " hur mycket min mitt mig ditt din sig vill när ska vara blir fick fått eller hade där här nu bara"
        " efter man kommer skulle denna detta alla oss er ni också snart igår går mer mest alltid aldrig sedan"
        " måste borde allt andra något inget två tre under mot mellan era deras honom henne hon sa blev upp ut"
    ),
    "da": (
        "og i at det er en til på som med for den de af ikke der har et om jeg var han kan vi så fra du hvor"
        " mange min mit mig din dit sig vil gerne når skal være bliver fik eller havde her nu kun efter man"
        " kommer skulle denne dette alle os jer hvad også snart meget vide igår mere mest altid aldrig siden"
        " måtte burde alt andre noget intet to tre under mod mellem jeres deres ham hende hun sagde blev op ud"
    ),
    "nb": (
        "og i at det er en til på som med for den de av ikke der har et om jeg var han kan vi så fra du hvor"
        " mye min mitt meg din ditt seg vil gjerne når skal være blir fikk eller hadde her nå bare etter man"
        " kommer skulle denne dette alle oss dere hva også snart veldig vite si fått går mer mest alltid aldri"
        " siden måtte burde alt andre noe ingenting to tre under mot mellom deres ham henne hun sa ble opp ut"
    ),
    "fi": (
        "ja on ei se että hän ovat oli joka en mutta ole kun niin myös sen jos kuin tai minun minä sinä me te"
        " he mitä missä kuinka paljon voi voitteko olen ollut olisi tämä tällä sitä siitä niitä vain nyt jo"
        " vielä kaikki mikä kuka miksi haluaisin pitäisi jälkeen ennen kanssa sinun meidän teidän tili eivät"
        " emme siis aina koskaan eilen pitää täytyy kaikkea muut jotain mitään kaksi kolme aikana hänen häntä"
        " heidän sanoi tuli tulee menee hyvin oma"
    ),
    "pl": (
        "w i na z nie do się to że jest o za po od jak a dla ze co tak ale czy przez już był jego tylko są"
        " może która które który być go przed jej mi mnie ja ty pan pani my oraz ich ten ta te tego tej tym"
        " nad pod przy ile kiedy gdzie dlaczego mam mogę chcę chciałbym proszę jutro wczoraj dziś dzisiaj"
        " jeszcze bardzo swoim swoją moje mój moja bo więc zawsze nigdy musi muszą powinien wszystko inne coś"
        " nic dwa trzy podczas między ją powiedział będzie będą tu tam teraz potem bez aby żeby żebym sobie"
        " ona oni one byli"
    ),
    "cs": (
        "a v se na je že o s z do i to ve pro za k by si jsem po jako ale ze od jeho jsou byl byla jen nebo"
        " jak co které který která když není bude být tak podle před mě mi my vy já on ona ten ta toto tento"
        " tuto kolik kdy kde proč můžete mohu nemohu chtěl bych mám prosím dnes včera zítra také už ještě"
        " velmi svém svůj měla protože vždy nikdy musí musím měl všechno jiné něco nic dva tři během mezi ho"
        " ji jich řekl budou tady tam teď potom bez aby ať sobě oni jsme jste"
    ),
    "sk": (
        "a v sa na je že o s z do i to vo pre za k by si som po ako ale zo od jeho sú bol bola len alebo čo"
        " ktoré ktorý ktorá keď nie bude byť tak podľa pred mňa mi my vy ja on ona ten tá tento túto koľko"
        " kedy kde prečo môžete môžem nemôžem chcel mám prosím dnes včera zajtra tiež už ešte veľmi svojom"
    ),
    "hr": (
        "i u je se na da za od su s a o ne što kao to bi iz koji koja koje ili ali sam nije biti bio bila"
        " samo kako te po do sve ja ti on ona mi vi me moj moja ovaj ova ovo taj kada gdje zašto koliko mogu"
        " želim molim danas jučer sutra još već vrlo svoj li"
    ),
    "ro": (
        "de și în a la cu o nu pe se din că un este sunt pentru mai care ce au al ale fi lui sau prin după"
        " dar dacă îmi mi meu mea eu tu el ea noi voi am ai are avem aș ar vrea pot poate să cât câți când"
        " unde cum acest această fost foarte vă rog mâine ieri azi fără până între nou bine meul contul"
        " întotdeauna niciodată trebuie tot toate alt ceva nimic doi trei sub lor spus va vor aici acolo acum"
        " apoi spre mă te ne m-a mi-a"
    ),
    "hu": (
        "a az és hogy nem is egy van meg ez de csak volt azt már ha még mint vagy el én te ő mi ti ők kell"
        " lehet mert nagyon minden ami aki itt ott most mennyi mikor hol miért tudok tudom szeretném kérem ma"
        " holnap tegnap óta után előtt ezt ezen azon fel ki be le azért mindig soha kellene más valami semmi"
        " két három alatt között mondta lesz lesznek akkor aztán nélkül magam vissza jól"
    ),
    "tr": (
        "ve bir bu da de için ne ile mi çok daha gibi kadar var ama olarak ben sen o biz siz onlar benim"
        " sizin bizim şu her değil mı mu mü ki en sonra önce bugün dün yarın nasıl nerede nereden zaman neden"
        " istiyorum lütfen yok olan oldu olduğunu gerekiyor beri içinde ya hiç çünkü hep hiçbir gerek lazım"
        " bütün başka şey iki üç altında arasında ona onu onun dedi olacak burada orada şimdi bana sana günü"
        " kez tekrar"
    ),
    "vi": (
        "và của là có không được cho một các những trong với này để người tôi đã khi đến từ bạn anh chị rất"
        " nhiều cũng như về nhưng thì sẽ ra ở vào làm gì nào bao nhiêu muốn biết thể tiền hôm qua nay mai còn"
        " đó nếu vì nên rồi chưa luôn phải tất cả khác hai ba dưới giữa ông bà nói đây bây giờ nữa đang bị"
        " mình quay lại"
    ),
    "id": (
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada"
        " mereka lebih kata tahun sudah atau saat oleh menjadi orang ia telah adalah seperti sebagai bahwa"
        " dapat para harus namun kita dua satu masih hari hanya kami anda apa bagaimana kapan berapa ingin mau"
        " tahu belum sejak kemarin besok sekarang tolong tetapi selalu pernah semua lain sesuatu tiga antara"
        " dia sini sana lalu tanpa agar sedang kembali bilang"
    ),
    "tl": (
        "ang ng sa na ay mga at ko mo siya ako ikaw kami tayo sila ito iyan iyon hindi po opo kung para may"
        " mayroon wala ano saan kailan bakit paano magkano gusto lang din rin pa ba pero dahil nang si ni kay"
        " namin natin nila niya akin aking iyong mula noong ngayon bukas kahapon kagabi laging dapat lahat iba"
        " dalawa tatlo sinabi dito doon pag kapag kasi naman ulit"
    ),
    "ca": (
        "de la el i a que els les en un per amb una no es del és més al ha dels pel com però seu seva si són"
        " també o aquest aquesta va ser hi ho què quan on jo tu ell nosaltres vostè meu meva puc pot vull"
        " quants quant tinc té avui ahir demà molt fins sense perquè així sempre mai tot altres res dos tres"
        " sota entre ella dir dit aquí allà ara després"
    ),
    "ru": (
        "и в не на я что он с как это по но а к у из за то так от о для же бы мне было все она мы вы его её"
        " меня если или ещё есть когда только уже где сколько могу хочу хотел должна может моя мой моём нет да"
        " со до при без очень под этой этот эта почему чтобы был была были потому всегда никогда надо нужно"
        " другой что-то ничего два три между него неё сказал будет здесь там сейчас потом себя"
    ),
    "uk": (
        "і в не на я що він з як це по але а до у із за то так від о для ж би мені було все вона ми ви його"
        " її мене якщо або ще є коли тільки вже де скільки можу хочу знати моєму мій моя немає ні та й цей ця"
        " чому щоб дуже під був була були тому завжди ніколи треба потрібно інший щось нічого два три між"
        " нього неї сказав буде тут там зараз потім себе"
    ),
    "bg": (
        "и в не на аз че той с как това по но а към у от за то така до о да би ми беше всичко тя ние вие му я"
        " ме ако или още има кога само вече къде колко мога искам са съм е си ли се моля моят моята ще този"
        " тази защо много под със"
    ),
    "sr": (
        "и у је се на да за од су с а о не што као то би из који која које или али сам није бити био била"
        " само како те по до све ја ти он она ми ви ме мој моја овај ова ово тај када где зашто колико могу"
        " желим молим данас јуче сутра још већ врло свој"
    ),
    "ar": (
        "في من على أن إلى التي الذي عن مع هذا هذه كان لا ما هو هي أو كل بعد قبل بين قد لم لن كم أنا أنت نحن"
        " هل كيف متى أين لماذا منذ حتى إذا لدي لي إن أريد يمكن عند غير"
    ),
    "fa": (
        "و در به از که این را با است برای آن یک می شود بر تا هم من تو او ما شما آنها چه چرا کجا کی چقدر دارم"
        " دارد هست نیست خود یا اگر بود شد می‌خواهم می‌شود کنم کند"
    ),
    "ur": (
        "کے میں کی ہے اور سے کا کو اس کہ پر نے ہیں یہ بھی تھا جو ہو نہیں تو وہ ایک کر ہوں مجھے آپ میرے میرا"
        " کیا کب کہاں کتنا کیوں چاہتا گیا"
    ),
}  # fmt: skip
# Of languages that say with endings what others say with small words; and of English, whose notes leave these out.
ENDINGS: Final = {
    "en": "ing ed ness ings ly tion",
    "fi": "ssa ssä lla llä sta stä lta ltä seen maan mään tään taan ksi nsa mme",
    "hu": "nak nek ban ben ból ből ról ről hoz hez val vel ott ett kor ünk unk ság ség hatok hetek",
    "tr": "lar ler yor yorum ları leri dan den ında inde mek mak nız niz ldi dım dim tum düm ştum ünü mesi ması",
    "es": "ción ciones aron ieron ando iendo mente",
    "pt": "ção ções aram iram eram ando mente",
    "it": "zione zioni ando endo mente iamo arono",
    "de": "ung ungen keit lich",
    "pl": "ość ości ować ują ałem ałam iał wał ego",
    "sv": "arna erna orna",
    "fr": "eaux euse",
    "nl": "heid",
    "ro": "ului ilor",
    "cs": "ého ých ovat",
    "ru": "ться ого ение",
    "uk": "тися ення",
}  # fmt: skip
# Small words that stand in names of people, streets and firms: by themselves they say nothing of the sentence around.
OF_NAMES: Final = (
    "de la las los el del le les du des di della delle dei degli da do dos das den der die van von und et y e a al au"
    " aux alla d' l' san santa zu zum zur"
)
