package lexis

// sameWords: each line holds words that people use one for the other in nearly
// every sentence a caller says.
const sameWords = `
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
deposit security
instalment installment
salary wage
pay settle
phone call ring dial
phone mobile cellphone smartphone
contact reach
email message
letter post
post mail
parcel package packet
deliver ship dispatch
deliver bring
send post mail ship
send forward
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
airport terminal
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
restaurant diner
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
pass succeed
fail flunk
repeat retake resit
learn study
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
job vacancy position
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
snow ice
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
free vacant available
full busy crowded
full sold
private personal
public general
new recent
old used secondhand
spare extra additional
extra additional supplementary
second another
together joint
alone single
single individual
double two
half part
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
like enjoy
name title
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
door lock open
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
water leak
heat heating
cool cooling
gas heating
noise disturb
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
