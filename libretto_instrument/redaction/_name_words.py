"""Small sets of words that say where a name stands, and where none does."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Directly before a name, with or without a full stop.
TITLES = _words(
    """
    mr mrs ms miss mister dr doctor prof professor sir madam madame dame lord lady rev
    reverend fr sr sra srta señor señora señorita herr frau fräulein monsieur mme mlle
    signor signora signorina capt captain col colonel lt lieutenant sgt sergeant maj gen
    sen senator rep judge officer detective president coach uncle aunt auntie grandma
    grandpa pastor rabbi imam sheikh
    """
)

#: Written with a full stop that ends no sentence.
ABBREVIATED = _words(
    "mr mrs ms dr prof st jr sr rev capt col lt sgt maj gen sen rep fr sra"
)

#: Openings of a message: "Dear Margaret,".
GREETINGS = _words(
    """
    dear hi hello hey hiya howdy greetings dearest hola bonjour hallo ciao salut thanks
    cheers welcome goodbye bye sorry congrats congratulations morning afternoon evening
    you
    """
)

#: Closings of a message: "Kind regards,\n\nPriya".
CLOSINGS = _words(
    """
    regards sincerely cheers thanks thx ty best yours truly faithfully respectfully
    cordially love hugs xoxo wishes gratefully warmly appreciatively you saludos
    cordialement grüße cumprimentos
    """
)

#: Labels of a field that holds a name: "Customer: Priya N.".
LABELS = _words(
    """
    name names fullname firstname lastname surname forename customer client patient
    contact attn attention from to cc bcc by author employee manager applicant recipient
    sender signed signature attendee attendees participant participants user username
    member passenger guest tenant owner cardholder beneficiary witness caller agent
    assignee reporter reviewer student teacher parent guardian spouse nom nombre nome
    naam
    """
)

#: Lower-case words inside a name.
PARTICLES = _words(
    """
    van von der den de del della di da dos das du la le el al bin ibn ben ter ten zu y
    af av
    """
)

#: A name that one of these belongs to is an organisation's or a place's.
ORGANISATION_WORDS = _words(
    """
    inc llc ltd limited corp corporation co company gmbh ag plc sa group holdings
    partners associates university college school academy institute hospital clinic bank
    foundation museum church cathedral library center centre stadium park airport
    station bridge tower hotel restaurant cafe bar pub theater theatre orchestra band
    records studios pictures films press news times post journal magazine support team
    service services department office agency bureau ministry council committee
    commission party army navy force forces police league club fc united city town
    county state province island islands river lake mountain mount valley bay beach
    forest ocean sea gulf airlines airways motors electronics software technologies
    technology systems solutions labs laboratories pharmaceuticals industries
    international global national federal royal grand prize award cup open festival act
    bill law code algorithm theorem syndrome disease investments consulting sons street
    rue rua via calle avenida avda avenue av corso viale vicolo piazza plaza strada
    strasse straße platz ul ulica quai allée cite cité quinta
    """
)

#: A name before one of these is a street's.
STREET_WORDS = _words(
    """
    street st avenue ave road rd boulevard blvd lane ln drive dr court ct place pl
    square terrace trail parkway pkwy highway hwy circle way plaza crescent bypass alley
    """
)

#: Months, peoples, places and machines that share their name with persons: "April
#: Jones" is a person and "April" is not.
NAMESAKES = _words(
    """
    claude alexa julia pascal ruby ada crystal march april may june august january
    february july september october november december english irish greek turkish
    welsh scottish swedish norwegian finnish portuguese brazilian latin roman hebrew
    arabic thai french german spanish
    italian dutch danish czech polish russian chinese japanese korean american british
    canadian mexican indian african asian european israel england france germany spain
    italy poland russia china japan korea america britain canada mexico india africa
    asia europe australia zealand scotland wales ireland texas virginia carolina georgia
    florida california dakota montana nevada arizona alabama maryland jersey york vegas
    orleans victoria savannah houston dallas austin boston chicago seattle denver
    phoenix miami london paris berlin madrid rome roma vienna milan sydney melbourne
    jordan kenya chad cuba panama lima troy jerusalem bethlehem zion alberta ontario
    quebec manitoba
    """
)

#: Words that start the name of a place: "San Michele", "New Zealand".
PLACE_PREFIXES = _words(
    """
    san santa santo são sao saint st sankt port porto puerto new los las el den fort
    mount mt lake cape costa rio villa ciudad ben
    """
)

#: Words that are capitalised for other reasons, whatever a list of names says.
NEVER_NAMES = (
    # the calendar
    _words(
        """
        monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu
        thur thurs fri sat sun jan feb mar apr jun jul aug sep sept oct nov dec
        christmas easter thanksgiving halloween ramadan hanukkah
        """
    )
    # addressed, but nobody
    | _words(
        """
        all everyone everybody team folks guys there sir madam madame customer customers
        support friend friends colleague colleagues world bot assistant user system
        admin again member members valued hiring manager concern whom sirs ladies
        gentlemen subscriber anyone somebody someone reader readers community
        """
    )
    # machines that are spoken to
    | _words(
        """
        chatgpt gpt siri cortana gemini copilot bard llama mistral openai anthropic
        google microsoft apple amazon facebook meta netflix twitter linkedin youtube
        instagram uber github gitlab slack zoom azure aws python java javascript
        typescript kotlin swift rust perl scala django flask docker kubernetes linux
        ubuntu windows android chrome safari firefox json xml html css sql http https
        api url uri uuid id pdf csv
        """
    )
    # small words at the start of a sentence
    | _words(
        """
        the a an and or but if so as at by for from in into of on off to up with i me my
        we us our you your he him his she her it its they them their this that these
        those who what when where why how which is are was were be been am do does did
        done have has had will would can could shall should may might must not no yes ok
        okay please thank thanks hello hi hey dear well now then here there also just
        only very too let lets get got go see say said tell ask help need want make take
        give put send new old good best great big more most some any each every both
        other another such one two three first last next note warning error info debug
        total price order date time day week month year name phone email address fax tel
        mobile subject re fw fwd dear regards sincerely cheers bye hallo hola bonjour
        ciao salut
        """
    )
    # parts of an address
    | _words(
        """
        apt apartment suite ste unit floor box psc usns apo fpo zip
        """
    )
)

#: Words that are mostly names where they have a capital letter inside a sentence.
NAMES_AMONG_WORDS = _words(
    """
    adam alan alex anna bill billy bob bobby brad colleen dan derrick don frank fred
    george grant harry jack james jean jim jimmy jo joe john josh ken lee lewis louis
    maria marina mark mary max mike nick pat paul peter ray rob robin rose roger ron sam
    sue ted tim tom tony will
    """
)

#: What persons do, in the words that follow a name.
PERSON_VERBS = _words(
    """
    lives lived said says asked asks told replied replies shouted whispered smiled
    laughed cried married died moved grew writes wrote works worked wants wanted thinks
    thought loves loved likes liked hates hated feels felt went flew knows knew called
    calls emailed emails texted phoned spent met spoke explained believes remembers
    """
)
