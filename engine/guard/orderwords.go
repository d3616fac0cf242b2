package guard

// orderWords are classes of words, by how they begin; "$" ends a word. Languages
// stand beside each other because attackers mix them: en, de, es, fr, ru.
//
//nolint:misspell // words of several languages
const orderWords = `
ignore = ignor disregard forget overrid bypass neglect discard vergiss vergess missacht umgeh olvid descart oubli contourn игнорир забудь забуд обойд пренебре отбрось отмени تجاهل अनदेखा stop$
skip = skip omit waive übersprin salta sauter пропусти
prior = previous prior$ above$ earlier preceding foregoing before$ initial original bisher vorherig obig früher anterior previ precedent précédent antérieur предыдущ прежн ранее выше السابقة पिछले
all = all$ any$ every every$ each everything alle$ allen$ alles$ todas$ todos$ todo$ toutes$ tous$ tout$ все$ всё$ всех$ любые كل$ جميع सभी
your = your$ youre the$ these$ those$ this$ deine ihre dein$ tus$ sus$ tu$ vos$ tes$ ton$ твои ваши свои твой ваш
instruction = instruct prompt guideline directive rules$ rule$ guardrail programming anweisung regel vorgabe instruccion instrucción reglas regla consigne règle directiv инструкц правил указани промпт ограничен التعليمات تعليمات निर्देश
limits = restriction limitation filter safety policy$ policies safeguard moderation einschränk beschränk restriccion restricción política filtre фильтр запрет limites límites grenzen limits$ ограничени
system = system$ systemprompt hidden secret$ internal confidential developer$ system- systém sistema système систем скрыт внутренн geheim versteckt intern
reveal = reveal print$ show$ display repeat$ output dump$ disclose recite leak$ expose verrate zeig gib$ nenne wiederhol ausgeben muestra revela imprime repite muéstrame dime$ montre révèl affich répèt divulgu покажи выведи повтори раскрой напечатай сообщи перечисли translate summarize summarise write$ list$ tell$ quote$ copy$ encode spell$ append include
role = pretend roleplay role-play act$ imagine simulate behave impersonate persona spiel tu$so stell actúa actua finge imagina simula fais$ joue imagine agis притворись представь веди сыграй играй
now = now$ jetzt nun$ ahora maintenant désormais теперь отныне henceforth onwards
you = you$ du$ sie$ tú$ tu$ usted vous$ ты$ вы$
are = are$ become must$ shall$ will$ bist$ sind$ eres$ es$ êtes es$ являешься
free = unrestricted unfiltered uncensored jailbroken jailbreak dan$ amoral unlimited evil godmode hacker uneingeschränkt unzensiert grenzenlos ilimitado sin$límites libre$ débridé неограниченн безгранич свободн
mode = mode$ modus modo$ режим
developer = developer debug admin administrator maintenance sudo root$ superuser god$ engineer entwickler wartungs administrador desarrollador développeur администратор разработчик отладк operator$ supervisor
without = without no$ ohne$ sin$ sans$ без$ never$ nicht$
new = new$ neue neuen nuevas nuevos nouvelles nouveau новые новая новый updated
follow = follow$ obey comply execute perform run$ folge$ befolge ausführen obedece ejecuta sigue$ obéis exécute suis$ выполни следуй подчин исполни carry
call = call$ invoke trigger run$ execute calling rufe$ aufrufen llama$ invoca ejecuta appelle exécute вызови запусти
tool = tool$ tools$ function functions plugin api$ endpoint werkzeug funktion herramienta función outil fonction инструмент функци
secret = password api$ key$ keys$ token$ tokens credential apikey api_key secret$ secrets$ env$ environment passwort schlüssel zugangsdaten contraseña clave$ claves mot$passe passe$ identifiants пароль ключ токен учётн
other = other$ another others$ somebody someone everyone anderer anderen andere$ otro$ otros$ otra$ autre autres$ другого другой другие чуж
customer = customer client user$ users$ account accounts$ kunde kunden konto$ cliente cuenta utilisateur compte$ клиент пользовател счёт счета
send = send$ post$ upload forward transfer exfiltrate email$ mail$ sende$ schicke überweis envía envia manda$ transfiere envoie transfère отправь перешли переведи submit
address = http https www url$ webhook endpoint attacker evil$ iban$
model = model$ ai$ assistant chatbot bot$ llm$ gpt chatgpt claude language ki$ assistent ia$ asistente modelo modèle assistant ассистент модель бот ии$
conversation = conversation chat$ history transcript context$ session dialog gespräch verlauf conversación historial historique истори диалог переписк
not = not$ dont don't never$ stop$ nicht nie$ no$ nunca ne$ jamais не$ никогда
tell = tell$ inform mention ask$ warn sag$ erwähn informier digas menciones avis dites говори упоминай спрашивай сообщай
human = customer user$ human$ anyone anybody kunden nutzer usuario cliente$ utilisateur client$ пользователю клиенту никому
verify = verif confirm$ confirmation check$ approval authoriz authoris identity überprüf bestätig verifica confirmación vérifi confirmation провер подтвержд
important = important urgent attention notice$ note$ wichtig achtung importante atención attention$ важно внимание
begin = begin start$ answer$ respond reply$ antworte beginne responde empieza réponds commence отвечай начни
decode = decode base64 rot13 hex$ unscramble dekodier decodifica décode раскодируй декодируй reverse$ backwards cipher
override = override unlock enable activate entsperr aktivier desbloquea activa$ débloque active$ разблокируй активируй включи disable deaktivier desactiva désactive отключи
authority = ceo$ cto$ openai anthropic google$ microsoft developer creator police regulator auditor vorstand entwickler policía auditeur аудитор
cancelled = cancelled canceled replaced void$ lifted revoked aufgehoben anuladas annulées отменены
text = text$ words$ word$ sentence line$ message
task = task$ job$ duty aufgabe tarea tâche задача
told = told taught trained learned learnt
environment = environment env$
variable = variable configuration config$ umgebungsvariable
cipher = base64 rot13 hex$ hexadecimal backwards reversed invisible letter$ encode encoded code$
verb = call$ transfer send$ forward show$ read$ reads tell$ reveal change close$ raise refund print$ give$ fill confirm answer begin$ repeat execute ignore follow include mention output verify end$ sende zeige envía envoie отправь покажи
`

// orderCombos are a weight in tenths and classes in the order of the words. Ten
// tenths are a hit.
const orderCombos = `
10 ignore prior instruction
10 ignore all instruction
10 ignore your instruction
9 ignore instruction
10 ignore prior limits
9 ignore all limits
10 ignore your limits
8 ignore all prior
7 ignore told
10 prior instruction ignore
10 all instruction ignore
10 your instruction ignore
8 instruction cancelled
10 reveal text prior
7 reveal all prior
8 your task now
8 now you follow
9 ignore verify
7 skip verify
8 skip all verify
10 your system instruction
10 your environment
10 environment variable
10 secret cipher
10 cipher secret
8 role secret
8 role customer
d10 model verb
d10 verb model
d10 system verb
d10 skip all verify
d8 verb secret
d8 verb other
d10 ignore user
d10 ignore your human
10 ignore prior conversation
6 ignore everything prior
10 ignore all verify
10 without verify call
10 reveal system instruction
10 reveal your system
10 reveal prior instruction
8 reveal your instruction
6 reveal instruction
6 system instruction
10 reveal all secret
10 reveal your secret
6 reveal secret
6 reveal system
10 reveal conversation prior
10 reveal other customer
10 reveal all customer
8 other customer
5 reveal customer
10 you are now free
10 you are free
6 you are now
6 now you are
10 role free
10 role without limits
10 role without instruction
6 role model
6 role you
10 role developer
10 developer mode
8 free mode
10 override developer
10 override free
10 override limits
9 override verify
6 free model
6 model without limits
10 without limits
6 without instruction
7 new instruction
6 follow new
5 follow instruction
8 important model
6 model you are
10 call tool
6 call your tool
6 follow tool
5 not tell human
4 not tell
8 not verify
6 without verify
9 send address
6 send conversation
10 send conversation address
10 send secret
8 send all customer
10 send customer address
8 decode follow
10 decode follow instruction
6 begin without
6 important ignore
6 authority you
6 you authority
5 developer you
5 you developer
6 model must
6 model follow
6 address conversation
6 system override
`
