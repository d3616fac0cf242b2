package lexis

// sameWords: each line holds words that people use one for the other in nearly
// every sentence a caller says.
const sameWords = `
phone call
call ring dial
complain dissatisfied unhappy
satisfied happy
apply application
approve accept
reject refuse decline deny
confirm confirmation
proof confirmation
verify check
check inspect
track trace locate
status progress
arrive come
depart leave
departure leave
arrival arrive
land arrive
carry transport
allowance limit
maximum most
minimum smallest
speed fast
speed slow
height tall high
depth deep
width wide
weight heavy
distance far
temperature warm
temperature cold
temperature hot
price expensive
size big
size large
age old
length long
strong strength
strike walkout
boss supervisor
headquarters headoffice
founder founded
partner companion
together accompany
accompany bring
toddler infant
grandparent grandmother grandfather
pensioner senior old
veteran soldier
immigrant foreigner
citizen resident inhabitant local
resident live
town city
suburb outskirts
countryside rural
vacate leave
evict eviction
landlord owner
tenant renter
rent rental
deposit bond
utility electricity
meter reading
plumber pipe
electrician electric
socket plug outlet
charger cable
charger charge
broken damage
broken fault
outage blackout failure
interrupt outage
restore repair
reboot restart reset
sync synchronise synchronize
freeze hang stuck
stuck jam
blocked block
block suspend freeze
fraud scam
phishing scam
stolen theft
hack breach
privacy data
newsletter mailing
unsubscribe cancel
spam junk
attachment file
scan photograph
signature sign
original copy
translate translation
notary certified
visa permit
passport document
birthday birth
anniversary celebration
ceremony wedding
catering food
buffet meal
dessert sweet cake
spicy hot
gluten wheat coeliac celiac
lactose milk dairy
vegan vegetarian
nut peanut
allergen allergy
kosher halal
takeaway takeout
dinein table
table reservation
waiter staff
tip gratuity
dress outfit
dresscode outfit
coat cloakroom
cloakroom wardrobe
locker cupboard
stroller pram pushchair buggy
nursing breastfeed
playground play
playroom play
babysitter babysitting childcare
nursery kindergarten daycare
pupil schoolchild
grade mark
homework assignment
timetable schedule
term semester
semester term
holiday break
tuition fee
scholarship grant bursary
grant subsidy
subsidy support
benefit welfare
unemployed benefit
disabled benefit
pregnant maternity
maternity birth
vaccine vaccination jab
vaccination injection shot
blood sample
xray radiology
scan mri
surgery operation
anaesthetic anesthetic
physiotherapy physio
psychologist therapist counsellor
counselling therapy
pharmacy chemist drugstore
pill tablet
ambulance emergency
insurer insurance
premium rate
excess deductible
deductible excess
payout compensation
compensation payout
inherit inheritance
beneficiary heir
mileage kilometre mile
mile kilometre
speeding speed
parking park
toll road
trailer tow
tow recovery breakdown
breakdown recovery
recovery rescue
puncture flat
brake stop
automatic transmission gearbox
manual gearbox
seatbelt belt
child booster
seat booster
roof rack
luggage boot
key locked
runway airport
layover stopover
stopover connection
boarding board
gate terminal
cabin hand
handluggage carryon
carryon hand
overweight heavy
oversize bulky
bulky large
fragile breakable
liquid fluid
customs border
currency money
exchange rate
atm machine
overdraft negative
balance amount
statement balance
standing recurring
debit direct
cheque check
loyalty bonus
points miles
bonus reward
prize draw
lottery draw
match game
referee umpire
stadium arena
court field pitch
lane pool
lifeguard supervisor
sauna spa
massage spa
haircut hairdresser
manicure nail
makeup cosmetic
tattoo piercing
photo camera
drone film
film shoot
loudspeaker speaker
microphone mic
projector beamer
whiteboard board
conference meeting
seminar workshop
keynote speech
lecture talk
panel discussion
recording record
livestream stream
stream broadcast
broadcast air
podcast audio
ebook reader
magazine journal
archive record
exhibit display
statue sculpture
guide audioguide
donate give
donation gift
volunteer help
charity nonprofit
sponsor support
member supporter
vote ballot
permit authorisation authorization
fine penalty
inspection inspector
recycle waste
compost garden
bin waste container
bulky furniture
tree plant
dog leash
noise complaint
pothole road
streetlight lamp
water supply
sewage drain
flood water
fire smoke
alarm siren
join enrol enroll register signup subscribe
register sign
cancel terminate quit withdraw
quit leave exit
end finish terminate stop
begin start commence
buy purchase
order purchase
price cost tariff rate
fee charge cost
fee price
bill invoice
refund reimburse repay
discount reduction rebate concession
discount cheap
cheap affordable inexpensive
instalment installment
salary wage
pay settle
phone mobile cellphone smartphone
contact reach
email message
letter post
post mail
parcel package packet
deliver ship dispatch
send post mail ship
collect pickup fetch
return back
exchange swap
replace substitute swap
lose miss misplace
lost gone
steal rob nick
thief robber burglar pickpocket
break damage
damage scratch dent crack
damage harm
defect fault
fault problem issue trouble
fault error failure malfunction
accident crash collision
crash collide
repair fix mend
maintain service
change modify alter amend
change switch
move relocate
postpone reschedule
extend prolong
extend renew
renew prolong
borrow loan lend
borrow rent
rent hire lease
hire book
book reserve
reserve reservation
appointment booking
ticket pass
subscription membership
member subscriber
club membership
open unlock
lock close
close shut
enter entry
entry admission entrance access
enter access
visit attend
attend participate
miss absent
late delay overdue
wait queue
quick fast rapid
urgent emergency
soon early
expire end
valid last
duration length period
term period
deadline limit
limit maximum cap
limit restriction
minimum least
age old
child kid
child minor
baby infant newborn
baby toddler
teenager youth teen adolescent
adult grownup
parent guardian
husband spouse partner
wife spouse partner
friend companion
guest visitor
family relative
elderly old senior
senior pensioner retiree
disabled handicapped
wheelchair disabled
accessible accessibility
lift elevator
toilet restroom bathroom wc lavatory washroom
doctor physician
hospital clinic
ill sick unwell
illness disease sickness
injury wound
medicine medication drug
medicine remedy
prescription recipe
dentist dental
glasses spectacles
pet animal
car automobile vehicle auto
van transporter minivan
lorry truck
bicycle bike cycle
motorbike motorcycle
drive ride
driver motorist
trip journey travel
trip tour excursion
trip ride
holiday vacation
abroad foreign overseas
country abroad
country nation
plane aircraft airplane
flight plane
luggage baggage
suitcase baggage luggage
station stop
fuel petrol gas gasoline
fuel tank refuel
charge battery
park parking
garage parking
street road
address location
map directions
room accommodation
flat apartment
house home
furniture sofa
breakfast meal
food meal dish
eat food
eat meal dine
cafe coffee
canteen cafeteria
canteen restaurant food
snack sandwich
drink beverage
drink coffee
shop store
shop outlet
branch office
staff personnel
worker employee
technician engineer
technician repairman
expert specialist
teacher instructor tutor trainer
teacher lecturer coach
learner student pupil
course class
class lesson
lesson session
course training
school college
exam test
exam assessment
certificate diploma
certificate qualification degree
fail flunk
repeat retake resit
teach instruct
study university
textbook book
code program software
program programme
computer pc
laptop notebook
device gadget appliance
device machine
screen display monitor
picture photo image
film movie
film video
tv television
music song
game play
party celebration
celebrate party
event happening
concert show performance
exhibition exhibit
museum gallery
tour guide
swim bathe
gym fitness
exercise workout
sport athletics
team squad
coach trainer
internet web online
website site page homepage
wifi wireless wlan
connection line
network connection
slow sluggish
password passcode pin
login signin
account profile
app application
download install
setup install installation
update upgrade
delete remove erase
copy duplicate
print printout
document paper
document file
form application
proof evidence
proof receipt
identity id
passport id
licence permit license
permit permission
allow permit
forbid ban prohibit
rule regulation
rule condition
contract agreement
policy contract
insurance cover
insure cover
cover include
compensate compensation
claim compensation
complain complaint
complaint grievance feedback
answer reply
question query enquiry inquiry
information info
advice consultation
help assist assistance support
safe secure
danger risk
police cop
crime offence
fine penalty
fine ticket
law legal
court judge
tax duty
customs duty
government authority
bank banking
account savings
transfer wire
withdraw cash
atm cashpoint
cash coin
card debit
card credit
loan mortgage
interest rate
invest investment
money funds
income salary earnings
poor income
unemployed jobless income
job work employment

company firm business
company enterprise corporate
boss manager
meeting conference
meeting appointment
quiet silent
noise loud noisy
clean tidy
dirty filthy messy
dirt crumbs stain
wash clean
laundry wash
rubbish garbage trash waste litter
smell odour odor stink
smoke cigarette tobacco
alcohol drunk beer wine
cold freezing chilly
warm heat
weather forecast
rain wet
winter snow
swimsuit swimwear trunks
towel bathrobe
clothes clothing garment
shoe footwear boot
coat jacket
bag backpack
box carton container
pack wrap
weigh weight heavy
big large size
size dimension
tall height
wide width
empty vacant
vacant available
full busy crowded
private personal
new recent
old used secondhand
spare extra additional
extra additional supplementary
second another
together joint
alone single
single individual
double two
whole entire complete
weekly week
monthly month
yearly annual year
annual year
night overnight
night midnight
weekend saturday
weekend sunday
today tonight
tomorrow next
choose select pick
choose decide
difference compare comparison
difference distinguish
recommend suggest advise
prefer favourite favorite
language speak
translate interpreter
vegetarian meatless
allergy allergic
gift present
voucher coupon
prize win
wedding marry
death funeral
pregnant expecting
birth born
divorce separate
garden yard
balcony terrace patio
window glass
door entrance gate
door lock
stairs steps
step stair
floor storey level
kitchen cook
bath tub
bed sleep
sleep overnight stay
stay accommodation
key keycard fob
light lamp
power electricity
electric electricity
heat heating
cool cooling
gas heating
neighbour neighbor
visitor tourist
tourist traveller
ship boat
ferry boat
train railway rail
bus coach
taxi cab
traffic jam
tyre wheel
windscreen window
boot trunk
`

// partWords: each line begins with a thing; the others are its parts and what
// goes with it. A part points at its thing, the thing not at each part.
const partWords = `
car door engine tyre wheel bumper windscreen boot bonnet seat brake mirror gearbox radiator steering dashboard headlight clutch exhaust seatbelt
house door window roof wall floor garage garden basement attic cellar stairs
room bed wardrobe window heating lamp pillow blanket mattress
bathroom shower bath sink toilet tap towel mirror
kitchen oven stove fridge sink dishwasher microwave kettle
computer keyboard mouse screen monitor battery
phone battery screen charger sim
router plug light cable antenna
internet page load download upload streaming browser netflix
bicycle tyre chain brake saddle helmet
flight gate boarding seat pilot crew airport
train platform conductor carriage
bank atm iban swift branch
card pin chip contactless
course teacher lesson homework class classroom certificate
school teacher class pupil classroom
exam mark grade pass fail
library book reader shelf
pool lane water lifeguard diving
hotel lobby reception room minibar
restaurant waiter menu table chef dish
hospital ward nurse surgery bed
doctor appointment prescription
dog leash muzzle
baby nappy pram pushchair stroller bottle
parcel label tracking box
contract clause signature
letter envelope stamp
invoice vat
ticket seat gate
event speaker stage audience seat
wedding bride groom
license driving
accident police insurance injured
`
