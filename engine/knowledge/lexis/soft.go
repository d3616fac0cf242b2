package lexis

// softWords are everyday verbs, adjectives and nouns of time and family that
// people put in place of others when they tell the same thing in their own
// words. One that stands nowhere in the knowledge says little; a strange noun
// says much.
const softWords = `
accept ache add admit advise agree aim annoy appear appreciate approve argue arrange arrive attend avoid
be bear beat become behave belong bend bet bite blame blow boil bother break breathe bring burn buy
call calm care carry catch cause celebrate change charge chat cheat check choose claim clean clear climb close collect combine comment commit
compare complain complete concern confirm confuse connect consider contact contain continue control convince cook copy correct cost count cover create cross cry cut
damage dare deal decide declare delay deliver demand deny depend describe deserve destroy detect determine develop die differ direct disagree disappear discover discuss dislike divide double doubt drag draw dress drink drive drop dry
earn eat empty enable encourage end enjoy enter escape estimate exceed exchange excuse exit expand experience explore express extend
face fail fall fasten fear feed feel fetch fight figure file fill finish fit fix fold follow force forget forgive form freeze function
gain gather glance grab grow guarantee guide handle hang hate head heal hear hide hire hit hold hop hunt hurry hurt
identify ignore imagine improve increase indicate influence inform insist install intend introduce invent invite involve
join judge jump kick kill kiss knock
land last laugh launch lay lead lean learn leave lend lie lift limit link list listen live load lock lose love lower
maintain manage mark marry match matter measure meet mention mess mind miss mistake mix move multiply
name notice obey obtain occur offend open operate order organise organize owe own
pack park part pass pause pay perform permit persuade phone pick plan plant play please plug point possess post pour practise practice pray prefer prepare present press pretend prevent proceed produce promise pronounce protect prove pull punish purchase push
quit raise reach react read realise realize receive recognise recognize recommend record recover reduce refer reflect refuse regret relate relax release rely remain remember remind remove rent repair repeat replace reply report represent request rescue research reserve resist resolve respect rest return reveal ride ring rise risk roll rub ruin rule rush
save scare scratch scream search seem select sell send separate serve settle shake share shine shoot shout shut sign sing sink sit skip slip slow smell smile snap solve sort sound spend spill split spoil spot spread stand stare start stay steal step stick stop store strike struggle study succeed suffer suggest suit supply support surprise surround survive suspect switch
taste teach tear tend test thank throw tick tie touch train transfer trap travel treat trick trip trust turn twist
unlock unplug upset visit vote wait wake walk wander warn wash waste watch wave wear weigh welcome whisper win wipe wish worry wrap write yell
angry anxious awful bad beautiful bored brave brief bright broken busy careful cheap clever cold comfortable common complete confused cool correct crazy dangerous dark dead deep difficult dirty dry eager early easy empty entire even excellent excited exciting expensive extra fair familiar famous fast fat final fine firm flat foreign fresh friendly frightened full fun funny gentle glad gorgeous grateful great happy hard healthy heavy helpful high honest horrible hot huge hungry important impossible independent jealous kind late lazy legal light likely lonely loose loud low lucky mad main mandatory compulsory obligatory optional married modern natural naughty nervous nice noisy normal obvious odd official old online only open ordinary perfect personal plain pleasant polite poor popular powerful pretty proper proud public quick quiet ready real recent rich rough rude sad safe satisfied separate serious several severe sharp shy sick silly simple single slight slow smart smooth soft sorry special steep strange strict strong stupid sudden suitable sure surprised sweet tall terrible thick thin tidy tight tiny tired tough true typical ugly unable unhappy unusual upset urgent useful usual valid valuable various warm weak wet whole wide wild wonderful worried worse worst worth wrong young
bigger biggest smaller smallest longer longest shorter shortest higher highest lower lowest cheaper cheapest faster fastest slower slowest older oldest younger youngest newer newest earlier earliest later latest closer closest further furthest nearest heavier lighter larger largest
immediately quickly slowly easily probably definitely certainly apparently recently lately finally suddenly unfortunately luckily directly separately together alone altogether especially mainly mostly nearly almost hardly barely completely totally fully partly properly automatically anymore meanwhile otherwise instead anyhow somehow somewhere elsewhere abroad upstairs downstairs overnight tonight tomorrow yesterday
morning noon afternoon evening night midnight weekday weekend week month year season spring summer autumn fall winter date moment minute second hour century today future past beginning middle start
mother father mum mom dad parent parents son daughter sister brother wife husband partner girlfriend boyfriend fiance uncle aunt cousin nephew niece grandmother grandfather grandma grandpa granny grandson granddaughter grandchild family relative child kid baby boy girl friend neighbour neighbor colleague boss roommate lady gentleman somebody folks couple
place spot town city village street road corner area side part piece end top bottom front back inside outside centre center middle
trouble problem issue mistake error reason cause purpose chance luck hope help difference choice thought opinion feeling mood story news word sense point example sort kind amount number total half quarter rest pair couple dozen set list step stage level rate
home house place stuff item object tool size shape colour color weight height length width depth speed price money cash value
thousand hundred million dozen once twice eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
method methods means procedure process manner requirement detail purpose content basis condition variety selection range possibility alternative suggestion preference favourite situation circumstance occasion item article product brand model version series device gadget stuff unit member visitor somebody public private people crowd team department staff hotline sign note notes list menu overview summary conversation half third year old
lot lots plenty enough loads tons couple few
`

// idioms are turns of phrase and what they ask for in plain words.
const idioms = `
gift card = voucher gift
gift certificate = voucher gift
put aside = reserve hold
set aside = reserve hold
keep for me = reserve hold
put it aside = reserve hold
ring me back = call
call me back = call
help out = help
hand over = give
hurry up = fast
speed up = fast
slow down = slow
turn down = refuse
cut off = interrupt block
cut out = interrupt
pass away = die
passed away = die
look forward = wait
throw away = waste
throw out = waste
run late = late
wake up = alarm
eat out = restaurant
check out = checkout leave
check in = checkin arrive
drop by = visit
come by = visit
stop by = visit
come over = visit
come along = accompany
take along = bring accompany
bring along = bring accompany
tag along = accompany
top up = charge load
add on = extra
add something = change add extra
due date = deadline due
last name = surname
family name = surname
maiden name = surname
date of birth = birthday age
credit card = card
debit card = card
opening hours = open hours
opening times = open hours
business hours = open hours
office hours = open hours
closing time = close hours
phone number = phone call contact
telephone number = phone call contact
email address = email contact
customer service = support contact service
lost and found = lost found
home page = website
web site = website
e mail = email
wi fi = wifi
first aid = injury medical
ground floor = floor
next door = neighbour
public transport = bus train tram
swimming pool = pool swim
movie theater = cinema
how often = often every
cannot find = lost
cant find = lost
can not find = lost
never showed up = lost missing
did not show up = lost missing
didnt show up = lost missing
never arrived = lost missing
not arrived = lost missing
has gone missing = lost missing
is gone = lost missing
show up = arrive
turn up = arrive
cannot make it = miss attend cancel late
cant make it = miss attend cancel late
not make it = miss attend cancel late
cannot come = miss attend cancel absent
cant come = miss attend cancel absent
cannot attend = miss attend cancel absent
cant attend = miss attend cancel absent
in time = late
on time = late
too late = late
stuck in traffic = late
running late = late
call off = cancel
get rid of = cancel return
get out of = cancel leave
put off = postpone
pick up = collect
picked up = collect
pick it up = collect
drop off = bring
hand in = return
hand it in = return
hand back = return
give back = return
give it back = return
bring back = return
bring it back = return
take back = return
send back = return
get in = enter open admission
go in = enter
get into = enter open admission
come in = enter open
money back = refund
get reimbursed = refund
set up = install
sign up = register
sign in = login
log in = login
log on = login
wont open = open fault problem
doesnt open = open fault problem
does not open = open fault problem
wont start = start fault problem
sign me up = register
take part = participate attend
take place = location
in parts = instalment
in rates = instalment
try out = trial
try it = trial
have a look = visit trial
by mistake = error
pay back = refund
paid back = refund
get out = exit leave
look at = visit
move out = move leave
move in = move
kids menu = child
go back = return
come back = return
bring it = bring return
run late = late
get lost = lost
leave my car = park
leave the car = park
put my car = park
leave my bike = park bicycle
leave my bag = locker storage
leave my bags = locker storage
leave my luggage = locker storage
leave my stuff = locker storage
fall ill = ill
got ill = ill
got sick = ill
fell ill = ill
calling in sick = ill
my own = own
at home = home
have to pay = pay cost
whats included = included
per hour = hour
is down = outage fault problem
are down = outage fault
went down = outage fault
stopped working = fault problem
not working = fault problem
does not work = fault problem
doesnt work = fault problem
dont work = fault problem
wont work = fault problem
without me = alone
without us = alone
by herself = alone
by himself = alone
by themselves = alone
on their own = alone
on her own = alone
on his own = alone
on my own = alone
for free = free
how big = size
how large = size
how old = age
how far = distance
how heavy = weight
how deep = depth
how tall = height
how high = height
how wide = width
how warm = temperature
how hot = temperature
how cold = temperature
how fast = speed
how expensive = cost
look after = care
find out = learn
fill in = complete form
fill out = complete form
run out = expire
ran out = expire
grow up = adult
work for you = job
break down = fault
broke down = fault
switch off = stop
turn off = stop
turn on = start
switch on = start
get to you = directions address
get there = directions address
come to you = directions address
find you = directions address
`
