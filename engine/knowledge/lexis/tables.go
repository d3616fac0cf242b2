package lexis

// The tables hold everyday English only. A word that belongs to one trade does
// not belong here: agents bring their own words with their knowledge.

// emptyWords say nothing about what a question is about.
const emptyWords = `
a an the this that these those there here it its itself he she him her his hers they them their theirs we us our ours
i me my mine myself you your yours yourself yourselves one ones oneself ourselves themselves whatever whichever whoever
am is are was were be been being do does did done doing have has had having will would shall should can could may might must
cannot cant wont dont doesnt didnt isnt arent wasnt werent havent hasnt hadnt wouldnt shouldnt couldnt mustnt neednt aint
of in on at to for from by with without about into onto over under between among through during against per via as than upon
up down out off within toward towards beside besides along around across
and or but nor so if because while though although whether unless since until till however therefore thus then else either neither both
what which who whom whose when where why how
not no yes yeah yep yup nope nah ok okay please thanks thank hello hi hey bye goodbye dear sir madam
uh um er erm hmm ah oh well hm mhm huh mm mmm ehm like
very too also just only even quite rather really still already yet again ever never always sometimes often usually
gonna wanna gotta lets let
`

// lightWords say little: asking for them to be in the answer would be asking for the wrong thing.
const lightWords = `
want wants wanted wanting need needs needed needing know knows knowing tell tells telling told get gets getting got gotten
give gives giving gave given take takes taking took taken make makes making made go goes going went gone come comes coming came
use uses using used work works working worked happen happens happened happening help helps helping find finds finding found
look looks looking see sees seeing saw seen say says saying said ask asks asking asked try tries trying tried put puts keep keeps keeping kept
mean means meant think thinks thinking thought guess wonder wondering believe suppose understand explain hear heard speak talk
able allow allows allowed possible possibly possibility may offer offers offered offering provide provides provided providing
have having available exist exists existing possess
thing things something anything everything nothing someone anyone everyone somebody anybody everybody somewhere anywhere
way ways kind kinds type types sort sorts lot lots bit part case cases example fact idea matter situation option options
question questions answer answers information info detail details
people person guy guys man woman human customer customers client clients caller user users
much many more most less least few several some any all each every other others another such same own enough
good great fine nice best better bad new next last first second sure right correct actual actually exactly basically simply
currently now today soon later before after once maybe perhaps probably certainly definitely general generally normally
interested interest wish wishes hope hoping love prefer planning plan plans
end ended begin have hold holds done am pm
else specific particular certain different various typical regular standard normal common usual
must required require requires requirement necessary
yourselves big small little long short large high low hot cold
does doing did please kindly anyway though alright
show shows showing showed shown bring brings brought set sets run runs running turn turns
happy glad sorry afraid worried
sort stuff deal deals regarding concerning related via
two three four five six seven eight nine ten
time times day days
inside outside near nearby away back forward ahead
per total maximum minimum max min
possible feel feels felt
apply applies
available availability
let lets expect expects expected
become becomes became
include includes included including
seem seems seemed
hand hands
involve involved
exactly roughly approximately
`

// irregularForms: the base, then the forms no stemmer reaches.
const irregularForms = `
cactus cacti
fungus fungi
leaf leaves
loaf loaves
shelf shelves
half halves
thief thieves
medium media
analysis analyses
criterion criteria
goose geese
ox oxen
louse lice
die dies dying
dig dug
bite bitten bit
blow blown blew
draw drawn drew
feel felt
fight fought
freeze frozen froze
hear heard
hurt hurts
keep kept
lean leaned leant
learn learned learnt
let lets
light lit
mean meant
ring rang rung
rise risen
run ran
sew sewn sewed
shake shook shaken
shine shone
shoot shot
shrink shrunk shrank
sing sang sung
sink sank sunk
slide slid
smell smelt
spill spilt
spoil spoilt
spread spreads
stick stuck
sting stung
strike struck
swear swore sworn
sweep swept
tear torn tore
think thought
understand understood
wake woke woken
weep wept
buy bought
pay paid payment payments payable
lose lost losing loses loss losses
steal stole stolen stealing theft thefts
break broke broken breaking breaks breakage
send sent
ship shipping shipped ships
shipment shipments
bring brought
leave left leaving
catch caught
sell sold sale sales
hold held
choose chose chosen choice choices
drive drove driven driver drivers driving
eat ate eaten
drink drank drunk
forget forgot forgotten
fly flew flown flight flights flying flies
ride rode ridden riding
write wrote written writing
speak spoke spoken
wear wore worn
throw threw thrown
swim swam swum swimming swimmer swimmers
sleep slept
sit sat
stand stood
spend spent spending
teach taught teacher teachers
win won
build built building
meet met
grow grew grown
begin began begun
fall fell fallen
hide hid hidden
feed fed
child children kids
woman women
man men
person people
foot feet
tooth teeth
mouse mice
baby babies infant infants
wife wives
life lives
knife knives
deliver delivery deliveries delivered
arrive arrival arrivals
depart departure departures
refuse refusal
approve approval
renew renewal renewals
withdraw withdrew withdrawn withdrawal withdrawals
member membership memberships members
apply application applications applicant
register registration registrations registered
reserve reservation reservations
confirm confirmation confirmations
cancel cancellation cancellations cancelled canceled cancelling canceling
subscribe subscription subscriptions
insure insurance insured insurer
compensate compensation
complain complaint complaints
translate translation
receive receipt receipts
identify identity identification id
verify verification
inform notice notify notification notifications
pregnant pregnancy
disable disabled disability disabilities
ill illness illnesses
die died death deceased
marry married marriage
born birth
sick sickness
hungry hunger
pensioner pensioners
expire expiry expired expiration expires
weigh weight weighs
long length longer longest
high height higher highest
deep depth deeper
wide width
strong strength
warm warmth warmer
hot heat heating
safe safety safely
able ability
advise advice
analyse analysis
bus buses
lend lent loan loans lending
borrow borrowed borrowing
late later latest
delay delays delayed
photo photos photograph photographs
email emails mail mails
phone phones telephone telephones
euro euros eur
dollar dollars usd
pound pounds gbp
percent percentage
kilogram kilograms kg kilo kilos
kilometre kilometres km kilometer kilometers
metre metres meter meters
minute minutes min mins
hour hours hr hrs
wheelchair wheelchairs
monday mondays
tuesday tuesdays
wednesday wednesdays
thursday thursdays
friday fridays
saturday saturdays
sunday sundays
grey gray
colour color
centre center
programme program
cheque check
tyre tire
licence license
`

// relatedWords: each line holds words a caller may use one for the other. They
// match with less weight than the word itself.
const relatedWords = `
cost price fee charge tariff expensive cheap rate
cost pay
pay cash
discount cheap concession saving coupon voucher promo promotional
card debit credit
hours open
timetable schedule hours
wait queue
phone contact
member card
ticket card
fine penalty
mother parent
father parent
mum mother
dad father
return send
swim pool
withdraw cash
cost free
free complimentary included
pay payment bill invoice settle
bill invoice statement
bank iban transfer
money cash amount sum
money refund reimburse reimbursement repay
refund return
discount student senior
old age senior elderly pensioner retired
age minimum adult child
child baby toddler family minor
young teenager teen youth
teenager child
family household
kid child
boy girl child son daughter
husband wife spouse partner
friend guest visitor companion
phone mobile cell cellphone smartphone handset
email message
email contact
contact reach
write letter post
post mail postal
lost missing misplace lose disappear
lose forget
lost found
steal rob robbery thief pickpocket burglary
stolen lost
break damage fault faulty defect defective crack repair
repair fix mend
broken malfunction
problem issue trouble fault difficulty error
complaint feedback unhappy dissatisfied
cancel terminate end stop quit
change modify amend alter switch update edit adjust
postpone reschedule delay
swap exchange switch replace
renew extend extension prolong
extend longer
upgrade improve switch
downgrade switch
buy purchase order get
order book
book reserve appointment schedule arrange
book ticket
appointment visit slot
sign register join enrol enroll subscribe signup
join member
open start begin commence
close shut closed closure
finish complete end
begin start
start launch
enter entry entrance admission access
admission ticket
exit leave
arrive deliver
late overdue
late after
quick fast speed rapid soon urgent express
slow speed
deliver ship shipping dispatch courier post send
parcel package shipment
ship shipment
send submit upload provide
document paper paperwork papers certificate proof form
proof evidence receipt document
form application
identify passport licence card
identify proof
passport document
password login pin code
login signin account
account profile
username account
reset forget recover
secure safe
safe protect
lock secure
key lock
store keep leave locker
locker storage store
luggage baggage suitcase bag case
bag backpack
car vehicle automobile
car park parking garage
park parking
drive car
bicycle bike cycle
bike rack
bus train tram transport
transport shuttle travel
airport plane flight
airport transfer
taxi cab
trip travel journey holiday vacation
travel abroad
abroad foreign overseas international country worldwide
country abroad
christmas holiday
weekend saturday
weekend sunday
week weekly
month monthly
year annual yearly
day daily
night overnight
night evening
morning early
lunch dinner breakfast meal food restaurant
meal eat
food eat snack
drink beverage
cafe restaurant
vegetarian vegan
hungry food
room accommodation
stay room
hotel accommodation
room suite
bed room
dog pet animal
cat pet animal
pet animal
doctor physician medical
doctor gp
medical health medicine
hospital medical clinic
ill sick unwell disease medical
ill health
hurt injury injured accident
accident crash emergency
emergency urgent
pain hurt ache
medicine drug medication prescription
allergy allergic
dentist dental tooth
death die
pregnant maternity
disable wheelchair accessible accessibility
accessible access ramp lift step
lift elevator
toilet restroom bathroom wc
shower bathroom
wash clean laundry
towel linen
clothes clothing
wear clothes
wifi internet wireless online
internet broadband connection network
internet web website online
website online web
app application mobile
online internet digital
computer laptop pc
computer printer
print copy
copy scan duplicate
download upload
router modem hub
router box device equipment
device equipment gadget
equipment kit gear
signal connection
outage interruption disruption down
speed mbps
tv television channel
channel station
film movie video
video record
photo picture camera image
music audio
play sport
gym fitness exercise
sport ski
course lesson class training workshop
lesson teach
teach trainer instructor coach tutor
learn course lesson
event show concert
group party team
group school class
party birthday celebrate
meeting conference
hire rent rental lease
loan mortgage credit
deposit advance upfront
instalment installment monthly
limit exceed
maximum limit most
minimum least
weigh heavy
size big large dimension
heavy weigh
large big oversized
height tall
temperature warm cold degree
warm hot
weather rain storm snow
area region zone location
area cover
location place address branch
address house home street
move address relocate
move house
home house flat apartment
house property
neighbour door
cover insure include protect
claim reimburse compensate
claim file report
report inform tell notify
compensate refund
exclude exception except
excess deductible
policy insure contract
contract agreement terms
contract term
term condition
period duration
notice period
expire valid validity
valid expire
warranty guarantee
gift present voucher
reward points loyalty
staff employee worker personnel team
technician engineer installer
install installation setup connect
connect setup
test check trial
try trial test
check examine inspect control
result outcome
collect pick pickup fetch
allow permit permission forbidden prohibited ban
rule regulation
smoke smoking cigarette
noise loud quiet
alcohol beer wine
support help assist assistance service
service support
help support
advice consult consultation
job work vacancy career employ
business company corporate firm
student school university
school education
language english translate
read book
book novel
library book
magazine newspaper
newspaper press
privacy personal data
data personal
delete remove erase
extra additional more
choose select pick
difference compare
prefer choose
atm cash machine
transfer send
abroad currency
currency exchange
tax vat
invoice receipt
receipt proof
opening hours
swim bathe bathing
lady woman
cheap cheaper
eat cafe snack
donate donation give
period duration term length
invoice bill
delay late
sauna steam spa
child playground
dirty clean
trash waste rubbish garbage recycle
environment green
light lamp electricity power
power electricity
battery charge
gas fuel petrol
snow ski winter
winter summer season seasonal
`
