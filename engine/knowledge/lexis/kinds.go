package lexis

// kindWords: each line begins with a word for a kind of thing; the others are
// such things. A thing may stand for its kind and the kind for a thing, one
// thing never for another.
const kindWords = `
plant rose tulip tree shrub hedge cactus fern orchid herb bush lawn palm bonsai seedling
flower rose tulip daffodil lily orchid sunflower bouquet
tree oak apple pine fir birch maple
vegetable tomato carrot potato cucumber lettuce onion pepper cabbage spinach bean pea
fruit apple banana orange strawberry cherry grape pear plum lemon berry
herb basil parsley mint thyme rosemary
insect bee wasp ant fly mosquito greenfly aphid
pest aphid greenfly snail slug mouse rat ant bug
fish salmon tuna trout shrimp
meat chicken beef pork lamb ham sausage
bread roll bun toast baguette
dessert cake icecream pudding pie cookie
cheese cheddar mozzarella
drink juice lemonade smoothie cocoa
payment method paypal transfer invoice
city berlin london paris madrid rome vienna munich hamburg
degree bachelor master doctorate diploma
subject maths physics chemistry biology history geography
science physics chemistry biology
craft pottery woodwork sewing knitting painting
profession teacher nurse doctor lawyer engineer carpenter baker butcher
official mayor minister president
metal gold silver copper iron steel
material wood metal plastic glass leather cotton wool
toy doll puzzle lego
bed cot mattress bunk crib
seat chair bench sofa
bath shower tub
screen tv monitor
print poster flyer brochure leaflet
publication book magazine newspaper brochure
illness diabetes asthma cancer flu fever infection covid epilepsy migraine allergy stroke heart pneumonia virus cough cold measles
medical diabetes asthma cancer surgery operation treatment therapy x-ray xray vaccination injection bandage physiotherapy
condition diabetes asthma epilepsy
injury fracture burn cut bruise sprain wound concussion
pain headache toothache backache stomachache migraine ache
doctor surgeon dermatologist cardiologist pediatrician gynecologist specialist physician gp nurse therapist
dental toothache filling crown implant braces cavity denture tooth dentist
dentist toothache cavity filling
tooth toothache
medicine pill tablet antibiotic painkiller aspirin insulin drug ointment vaccine
body leg arm hand foot head back eye ear knee shoulder stomach
family mother father son daughter sister brother wife husband uncle aunt grandmother grandfather cousin parent
relative mother father son daughter sister brother wife husband uncle aunt grandmother grandfather grandma grandpa
child son daughter toddler baby kid grandson granddaughter grandchild teenager boy girl schoolchild infant
adult parent mother father
woman lady mother girl wife
man gentleman husband boy
student pupil undergraduate apprentice trainee
pensioner senior retiree grandmother grandfather elderly
animal dog cat rabbit bird horse hamster snake fish puppy kitten parrot
pet dog cat rabbit hamster bird puppy kitten parrot
dog puppy labrador poodle
computer laptop notebook desktop pc macbook mac tablet
laptop notebook macbook
electronics laptop camera phone tablet tv console headphones computer
device laptop phone tablet console printer smartphone iphone ipad smartwatch television
phone iphone smartphone mobile android handset cellphone
camera gopro camcorder
valuables jewellery jewelry watch ring necklace cash laptop camera gold
luggage suitcase bag backpack rucksack trolley handbag briefcase bags
bag handbag backpack rucksack purse
clothing shirt trousers jacket coat shoes dress socks jeans sweater hat uniform
shoe boot sneaker trainers sandal
vehicle car van truck motorbike motorcycle scooter lorry bus caravan motorhome trailer
car suv van estate saloon convertible hatchback
bicycle bike ebike mountainbike scooter
boat yacht ship ferry canoe kayak
flight plane airplane aeroplane airline
transport bus train tram metro underground subway ferry taxi
train metro underground subway railway
road motorway highway
fuel petrol diesel gas gasoline
sport football tennis basketball golf running hockey volleyball badminton squash rugby cricket cycling climbing hiking
winter ski skiing snowboard snowboarding sledge
exercise yoga pilates aerobics zumba spinning treadmill weights
game chess football cards boardgame
instrument guitar piano violin drum flute trumpet
music song concert band piano guitar
art painting drawing sculpture
book novel paperback hardback textbook thriller biography comic audiobook ebook
media book film game magazine newspaper dvd cd audiobook music
film movie dvd cinema series
newspaper journal daily
document passport certificate invoice receipt contract ticket bill letter form
identity passport licence id
proof receipt invoice certificate bill
payment card cash cheque transfer paypal invoice debit credit
card visa mastercard amex maestro
currency dollar euro pound yen franc
money dollar euro pound cash coin
tax vat duty
bank account card loan mortgage savings
insurance cover policy premium claim
fee surcharge commission toll
discount voucher coupon promotion sale rebate
meal breakfast lunch dinner supper brunch snack
food pizza bread sandwich salad soup meat fish cheese fruit vegetable burger pasta rice cake meal snack
drink coffee tea water juice beer wine soda cola milk
alcohol beer wine whisky vodka spirits drunk cocktail champagne
cafe coffee cake tea snack
restaurant lunch dinner table menu
menu dish starter dessert
diet vegetarian vegan halal kosher glutenfree
allergy nut gluten lactose peanut pollen
furniture table chair sofa bed desk wardrobe shelf cupboard couch
room bedroom kitchen bathroom lounge studio
appliance fridge oven microwave dishwasher washer dryer stove freezer
home house flat apartment cottage villa
building house tower school office
accommodation hotel hostel apartment room flat villa campsite
tool hammer drill saw screwdriver ladder
weather rain snow storm sun wind fog heat frost
disaster flood earthquake fire storm hurricane
emergency fire accident ambulance police
crime theft robbery fraud burglary vandalism
police theft report officer
country france germany spain italy greece turkey thailand china india japan america usa canada mexico brazil egypt kenya morocco australia england ireland poland austria switzerland portugal croatia
abroad france germany spain italy greece turkey thailand china india japan america usa canada mexico egypt kenya australia europe
european france germany spain italy greece poland austria portugal croatia belgium netherlands sweden denmark
language english german french spanish italian turkish arabic russian polish chinese dutch
day monday tuesday wednesday thursday friday saturday sunday weekday
weekend saturday sunday
holiday christmas easter newyear
month january february march april june july august september october november december
season summer winter spring autumn
night evening midnight overnight
noise music party loud
party wedding birthday anniversary celebration
event wedding concert conference party birthday festival workshop webinar seminar
course workshop seminar class lesson training webinar
teacher tutor instructor coach trainer lecturer
exam test quiz
school kindergarten university college nursery
job vacancy career internship apprenticeship employment
worker technician engineer mechanic plumber electrician driver cleaner
repair mechanic plumber electrician technician
equipment router modem receiver box helmet goggles racket skates tent
router modem fritzbox
cable wire plug socket
online website app browser portal
account login username password profile
password pin code
video netflix youtube streaming
message sms text email whatsapp
application whatsapp facebook instagram
printer scanner copier
error bug crash glitch failure
internet wifi wlan broadband fibre fiber cable dsl
fibre fiber optic
speed megabit mbit mbps gigabit
contract subscription membership tariff plan
term month year duration period
notice cancellation termination
bill amount charge statement
customer member subscriber patient guest tenant
gift present voucher
shop store supermarket market branch outlet
key card fob
container box bottle bag case packet crate carton
drug cannabis cocaine
weapon gun knife
plant flower tree
toilet restroom bathroom wc
wheelchair walker crutch
disability blind deaf wheelchair
pool swimming swim jacuzzi
sauna steam wellness spa
towel linen sheet
swimwear bikini swimsuit trunks
waste garbage rubbish trash recycling
energy electricity gas power
light lamp bulb led
temperature degrees heating cooling
size width height length depth dimension metre centimetre
weight kilogram gram pound
`

// moreRelated goes on with relatedWords: how people say the same in other words.
const moreRelated = `
expensive cost
slow speed
fast speed
quick speed
afraid worry
wrong incorrect mistake
true correct
begin start
answer reply respond
ask inquire enquire
choose pick
speak talk
purchase order
obtain get receive
require need
allow permit accept
forbid prohibit ban
suggest recommend
mandatory compulsory obligatory required
join participate attend
participate attend
participant attendee seat place
skip miss
reach arrive
stay night
sleep bed night
sleep stay
journey trip
tour trip excursion
guide tour
traveller passenger
fellow companion
stolen theft rob
thief theft
steal theft
damage scratch dent crack
scratch dent
leak water
wet water
flat tyre
puncture tyre
hurt injure
operation surgery
examination checkup check
checkup check
diagnosis examination
prescription medicine
appointment consultation
therapy treatment
treat treatment
cure treatment
reception desk counter
desk counter
counter cashier checkout
entrance door gate
floor level storey
stairs steps
lift elevator escalator
barrier step
seat place chair
ticket pass entry
season pass
spectacles glasses
hair cut
baby nappy diaper stroller pram buggy
stroller pram buggy
cot crib
babysit childcare
nursery childcare kindergarten
breakfast morning
vegetarian meat
vegan meat
bottle glass
locker cabinet
deposit pledge coin
coin change
owner proprietor
manager boss director
chief boss director
employer company
colleague team
branch office
office headquarters
headquarters address
email electronic
paper print
digital electronic
sign signature
signature sign
proxy authorise authorize
letter mail
stamp postage
parcel post
courier driver
recipient receiver addressee
sender send
customs duty
import customs
export customs
abroad border
border customs
visa permit
invoice accounting
tax receipt
salary wage income
income earn
earn salary
debt owe
owe debt
overdue remind reminder
reminder notice
late reminder
monthly month
yearly year
weekly week
daily day
hourly hour
double twice
half fifty
quarter three
increase raise rise
raise increase
decrease reduce lower
lower reduce
total altogether sum
average usual
bonus reward
win prize
prize award
loyal loyalty
introduce recommend refer
refer referral
recommend referral
complain ombudsman
object appeal
appeal object complain
legal law court
lawyer legal
court judge
sue court
responsible liable
liable liability
liability damage
guilty fault
promise guarantee
guarantee warranty
exclude except
unlimited limit
maximum limit upper
coverage cover insure
protect insure
claim damage
accident damage
rescue save
helicopter air
ambulance rescue
transport carry
air plane
fly plane
land arrive
delay late wait
wait delay
cancel refund
strike cancel
overbook cancel
connect transfer
miss connection
stop halt pause
pause suspend interrupt
suspend interrupt
interrupt disturb
disturb noise
restart reboot reset
reboot reset unplug
reset unplug
crash freeze
freeze hang
hack virus
spam junk
delete erase
backup save
restore recover
update upgrade
install setup
wireless wifi
signal reception
coverage signal
range distance
screen display
picture image
sound audio
volume loud
remote control
channel programme
subscribe membership
trial free
sample trial
demo trial
quality good
brand make
model type
colour paint
size measure
spare replacement
second used
used secondhand
new fresh
old used
stock available
sold out
order status
status track
track trace follow
trace track
pack wrap
wrap gift
collect fetch
bring return
return refund exchange
reservation table
table seat
cancel no-show
group class
guide dog
assist guide
blind guide
deaf hearing
translate interpreter
interpreter language
speak language
native language
beginner basic
beginner start
advanced expert
level grade
certificate diploma
exam certificate
teach course
learn teach
study learn
private individual
individual personal
public open
open public
residence resident
resident live citizen
citizen resident
town city municipal
municipal city
council city
mayor council
vote election
birth certificate
marriage wedding
divorce separate
death funeral
garden yard
yard garden
balcony terrace
terrace patio
view window
window glass
kitchen cook
cook kitchen
fridge cool
cool air
air condition
heat radiator
radiator heating
clean maid
maid housekeeping
housekeeping clean
iron laundry
safe valuables
wake alarm
alarm wake
smoke cigarette vape
vape smoke
drunk alcohol
drug influence
sober alcohol
diver dive
dive diving
`
